// The steps of the response cache in Lua, each atomic. An answer is one hash: g the newest invalidation when its call
// began, at, fr and ke when it was stored, is fresh until and kept until, tk and c what it took and cost, mk the marks
// that concern it, b its body. A claim is a hash: t who makes the call, g the newest invalidation then, f when somebody
// last listened. Marks are one hash of `generation before`; its field # is the newest number given out.

const HEAD = '#!lua flags=allow-key-locking\n'

const NEWEST = `
local function newest(marks)
  local generation, before = 0, 0
  if #marks == 0 then return generation, before end
  for _, mark in ipairs(redis.call('HMGET', KEYS[1], unpack(marks))) do
    if mark then
      local g, b = string.match(mark, '^(%d+) (%d+)$')
      generation = math.max(generation, tonumber(g))
      before = math.max(before, tonumber(b))
    end
  end
  return generation, before
end
`

/**
 * KEYS: the marks, the answer, the claim. ARGV: now, the token (empty: no claim), how long it holds, 1 if a kept answer
 * is accepted, its greatest age, for how long it must be fresh, how late it may be, the generation and time of what is at
 * hand (empty: nothing), the number of its marks, these, and the marks of the request.
 */
const LOOK = `${HEAD}${NEWEST}
local now, count = tonumber(ARGV[1]), tonumber(ARGV[10])
local near, asked = {}, {}
for at = 11, #ARGV do
  local list = at <= 10 + count and near or asked
  list[#list + 1] = ARGV[at]
end
if ARGV[8] ~= '' then
  local generation, before = newest(near)
  if generation <= tonumber(ARGV[8]) and before <= tonumber(ARGV[9]) then return {'near'} end
end
local stale = {}
if ARGV[4] == '1' then
  local a = redis.call('HMGET', KEYS[2], 'g', 'at', 'fr', 'ke', 'mk')
  if a[1] and now < tonumber(a[4]) then
    local marks = {}
    for mark in string.gmatch(a[5], '[^\\n]+') do marks[#marks + 1] = mark end
    local generation, before = newest(marks)
    local late = math.max(now + tonumber(ARGV[6]) - tonumber(a[3]) + 1, now - tonumber(a[2]) - tonumber(ARGV[5]))
    if generation <= tonumber(a[1]) and before <= tonumber(a[2]) and late <= tonumber(ARGV[7]) then
      local rest = redis.call('HMGET', KEYS[2], 'tk', 'c', 'b')
      local answer = {a[1], a[2], a[3], a[4], a[5], rest[1], rest[2], rest[3]}
      if late <= 0 then return {'kept', answer} end
      stale = answer
    end
  end
end
local current = redis.call('HGET', KEYS[1], '#') or '0'
if ARGV[2] == '' then return {'lead', current, stale} end
local claim = redis.call('HMGET', KEYS[3], 't', 'g')
if claim[1] and newest(asked) <= tonumber(claim[2]) then return {'follow', claim[1], stale} end
redis.call('DEL', KEYS[3])
redis.call('HSET', KEYS[3], 't', ARGV[2], 'g', current)
redis.call('PEXPIRE', KEYS[3], ARGV[3])
return {'lead', current, stale}
`

/** KEYS: the claim, what was said. ARGV: now, the token, how long it holds, how long a listener counts, the pieces. */
const TELL = `${HEAD}
if redis.call('HGET', KEYS[1], 't') ~= ARGV[2] then return {0, 0} end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
for at = 5, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[at]) end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
local heard = tonumber(redis.call('HGET', KEYS[1], 'f') or '0')
return {1, heard + tonumber(ARGV[4]) > tonumber(ARGV[1]) and 1 or 0}
`

/** KEYS: the claim, what was said. ARGV: now, the token, the first piece that is wanted. */
const LISTEN = `${HEAD}
local alive = redis.call('HGET', KEYS[1], 't') == ARGV[2]
if alive then redis.call('HSET', KEYS[1], 'f', ARGV[1]) end
return {alive and 1 or 0, redis.call('LRANGE', KEYS[2], ARGV[3], -1)}
`

/**
 * KEYS: the marks, the answer, the claim, what was said. ARGV: now, the token, how long the last words are kept, the last
 * piece (empty: none), what is said instead where the answer is kept, then of the answer, if it is to be kept: how long,
 * its generation, when it was stored, is fresh until and kept until, what it took and cost, its body, its marks as one
 * text, and each.
 */
const LAND = `${HEAD}${NEWEST}
local kept = 0
if #ARGV > 5 then
  local marks = {}
  for at = 15, #ARGV do marks[#marks + 1] = ARGV[at] end
  local generation, before = newest(marks)
  if generation <= tonumber(ARGV[7]) and before <= tonumber(ARGV[8]) then
    redis.call('HSET', KEYS[2], 'g', ARGV[7], 'at', ARGV[8], 'fr', ARGV[9], 'ke', ARGV[10], 'tk', ARGV[11], 'c', ARGV[12],
      'b', ARGV[13], 'mk', ARGV[14])
    redis.call('PEXPIRE', KEYS[2], ARGV[6])
    kept = 1
  end
end
if redis.call('HGET', KEYS[3], 't') == ARGV[2] then
  local last = kept == 1 and ARGV[5] or ARGV[4]
  if last ~= '' then
    redis.call('RPUSH', KEYS[4], last)
    redis.call('PEXPIRE', KEYS[4], ARGV[3])
  end
  redis.call('DEL', KEYS[3])
end
return kept
`

/** KEYS: the marks. ARGV: now, the mark, before when (empty: whatever its age), how many marks there may be, that of all. */
const INVALIDATE = `${HEAD}
local last = tonumber(redis.call('HGET', KEYS[1], '#') or '0')
local number = string.format('%.0f', math.max(last + 1, tonumber(ARGV[1])))
local g, b = string.match(redis.call('HGET', KEYS[1], ARGV[2]) or '0 0', '^(%d+) (%d+)$')
if ARGV[3] == '' then g = number
else b = string.format('%.0f', math.max(tonumber(b), tonumber(ARGV[3]))) end
redis.call('HSET', KEYS[1], '#', number, ARGV[2], g .. ' ' .. b)
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[4]) then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], '#', number, ARGV[5], number .. ' 0')
end
return number
`

/** KEYS: the counts. ARGV: pairs of a name and what is added. */
const COUNT = `${HEAD}
for at = 1, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[at], ARGV[at + 1]) end
return redis.call('HGETALL', KEYS[1])
`

/** Each with its SHA-1, by which Redis knows it. */
export const ANSWER_SCRIPTS = {
  look: { text: LOOK, hash: '93383c7fe522507c9a38f8d3920f87474e656a81' },
  tell: { text: TELL, hash: '3426373fa185c4189864e25afa3d1698641389e5' },
  listen: { text: LISTEN, hash: '7ed46daea2915cd3f2d9846ad5f4b26d54d0f1d0' },
  land: { text: LAND, hash: '67c58a2c9bae486eb3e222d2d4092bbdb40accdd' },
  invalidate: { text: INVALIDATE, hash: '14ca3e60d5c754f934896afbb48ff0309dfb9236' },
  count: { text: COUNT, hash: '27128cafa56179c5a6d7a62cadf848113ae43099' },
} as const

export type AnswerScript = keyof typeof ANSWER_SCRIPTS
