// The steps of a session in Lua, each atomic. A session is one hash: v its version (the turns that were kept), d what
// was said, u its end user, m its model, at and ex when it was made and ends, t and tu the turn that holds it and until
// when, ti that turn's idempotency key, li, lb and la the key, the body's hash and the answer of the turn before.
// Two sorted sets list the sessions of a tenant, and of each of its end users, by when they end.

const HEAD = '#!lua flags=allow-key-locking\n'

/** KEYS: the session. ARGV: now, the turn's token, how long it holds, its idempotency key, 1 to make it, whose it must be, whose it is. */
const BEGIN = `${HEAD}
local now, token, holdMs, idem = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4]
local s = redis.call('HMGET', KEYS[1], 'v', 'u', 't', 'tu', 'ti', 'li', 'lb', 'la')
local version = tonumber(s[1])
if version then
  if ARGV[6] ~= '' and s[2] ~= ARGV[6] then return {'missing'} end
  if idem ~= '' and s[6] == idem then return {'replay', s[7], s[8], version} end
  if s[3] and tonumber(s[4]) > now then
    if idem ~= '' and s[5] == idem then return {'in_flight'} end
    return {'busy'}
  end
elseif ARGV[5] ~= '1' then
  return {'missing'}
else
  redis.call('HSET', KEYS[1], 'v', 0, 'u', ARGV[7], 'at', now)
end
redis.call('HSET', KEYS[1], 't', token, 'tu', now + holdMs, 'ti', idem)
if not version or redis.call('PTTL', KEYS[1]) < holdMs then redis.call('PEXPIRE', KEYS[1], holdMs) end
return {'begun', version or 0, redis.call('HGET', KEYS[1], 'd') or ''}
`

/** KEYS: the session. ARGV: now, the turn's token, how long it holds. */
const HOLD = `${HEAD}
if redis.call('HGET', KEYS[1], 't') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'tu', tonumber(ARGV[1]) + tonumber(ARGV[3]))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
`

/** KEYS: the session. ARGV: the turn's token. */
const RELEASE = `${HEAD}
local s = redis.call('HMGET', KEYS[1], 't', 'v')
if s[1] ~= ARGV[1] then return 0 end
if s[2] == '0' then return redis.call('DEL', KEYS[1]) end
return redis.call('HDEL', KEYS[1], 't', 'tu', 'ti')
`

// A list lives as long as the session in it that ends last.
const LIST_IT = `
local function listIn(key, member, endsAt, now)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  redis.call('ZADD', key, endsAt, member)
  if redis.call('PTTL', key) < endsAt - now then redis.call('PEXPIRE', key, endsAt - now) end
end
`

/**
 * KEYS: the session, its tenant's list, its user's. ARGV: now, the turn's token, the version that it read, how long
 * the session lives, its id, the text, the model, the idempotency key, the body's hash, the answer, 1 if it has a user.
 */
const COMMIT = `${HEAD}${LIST_IT}
local now, endsAt = tonumber(ARGV[1]), tonumber(ARGV[1]) + tonumber(ARGV[4])
local s = redis.call('HMGET', KEYS[1], 'v', 't')
if s[1] ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], 'v', tonumber(s[1]) + 1, 'd', ARGV[6], 'm', ARGV[7], 'ex', endsAt)
if ARGV[8] == '' then redis.call('HDEL', KEYS[1], 'li', 'lb', 'la')
else redis.call('HSET', KEYS[1], 'li', ARGV[8], 'lb', ARGV[9], 'la', ARGV[10]) end
if s[2] == ARGV[2] then redis.call('HDEL', KEYS[1], 't', 'tu', 'ti') end
redis.call('PEXPIRE', KEYS[1], endsAt - now)
listIn(KEYS[2], ARGV[5], endsAt, now)
if ARGV[11] == '1' then listIn(KEYS[3], ARGV[5], endsAt, now) end
return 1
`

/** KEYS: the session. ARGV: whose it must be. */
const READ = `${HEAD}
local s = redis.call('HMGET', KEYS[1], 'v', 'u', 'd', 'm', 'at', 'ex')
if not s[1] or s[1] == '0' or (ARGV[1] ~= '' and s[2] ~= ARGV[1]) then return {} end
return s
`

/** KEYS: the session, its tenant's list, its user's. ARGV: its id. */
const REMOVE = `${HEAD}
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return redis.call('DEL', KEYS[1])
`

/** KEYS: the session, its tenant's list, its user's. ARGV: now, how long from now, its id, 1 if it has a user. */
const EXTEND = `${HEAD}${LIST_IT}
local now, endsAt = tonumber(ARGV[1]), tonumber(ARGV[1]) + tonumber(ARGV[2])
if (redis.call('HGET', KEYS[1], 'v') or '0') == '0' then return 0 end
redis.call('HSET', KEYS[1], 'ex', endsAt)
redis.call('PEXPIRE', KEYS[1], endsAt - now)
listIn(KEYS[2], ARGV[3], endsAt, now)
if ARGV[4] == '1' then listIn(KEYS[3], ARGV[3], endsAt, now) end
return endsAt
`

/** KEYS: the new session, its tenant's list, its user's. ARGV: now, how long it lives, its id, version, user, text, model. */
const CREATE = `${HEAD}${LIST_IT}
local now, endsAt = tonumber(ARGV[1]), tonumber(ARGV[1]) + tonumber(ARGV[2])
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[4], 'u', ARGV[5], 'd', ARGV[6], 'm', ARGV[7], 'at', now, 'ex', endsAt)
redis.call('PEXPIRE', KEYS[1], endsAt - now)
listIn(KEYS[2], ARGV[3], endsAt, now)
if ARGV[5] ~= '' then listIn(KEYS[3], ARGV[3], endsAt, now) end
return 1
`

/** KEYS: the list. ARGV: now, what a session's key begins with, at most so many, the place to go on from: an end and an id. */
// Its keys are found as it runs, so it cannot promise which ones it needs.
const LIST = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
local from, after, most = ARGV[4], ARGV[5], tonumber(ARGV[3])
local rows, offset = {}, 0
while #rows < most do
  local found = redis.call('ZRANGEBYSCORE', KEYS[1], from, '+inf', 'WITHSCORES', 'LIMIT', offset, most + 1)
  if #found == 0 then break end
  offset = offset + #found / 2
  for at = 1, #found, 2 do
    if (found[at + 1] ~= from or found[at] > after) and #rows < most then
      local s = redis.call('HMGET', ARGV[2] .. found[at], 'v', 'm', 'at', 'ex')
      if s[1] then rows[#rows + 1] = {found[at], found[at + 1], s[1], s[2], s[3], s[4]}
      else redis.call('ZREM', KEYS[1], found[at]); offset = offset - 1 end
    end
  end
end
return rows
`

/** Each with its SHA-1, by which Redis knows it. */
export const SESSION_SCRIPTS = {
  begin: { text: BEGIN, hash: '845559f7a8c6ead70a3cd91e7af982234da42121' },
  hold: { text: HOLD, hash: 'b927f04c49c38eef6d9e516e5993c921ac64644f' },
  release: { text: RELEASE, hash: 'fe6e74df0fcb5901174f1191dd2febcc89ec6de2' },
  commit: { text: COMMIT, hash: 'e7b27274083368a8247cced9b2776ab8d4f2322b' },
  read: { text: READ, hash: '086160e954185394e4fbe4ee2622f347569d2524' },
  remove: { text: REMOVE, hash: 'ae71b31a0efec00fc10f2817f1997dbfe8601070' },
  extend: { text: EXTEND, hash: '8fe0eff3d00af674b8f52471fca0e479c80f3de6' },
  create: { text: CREATE, hash: 'd65efdc93530ba4a05e16a079e93cd2d43e8c791' },
  list: { text: LIST, hash: '7cd1ca2b9dd6a5e35b6e1facecd5ea3fa60d485b' },
} as const

export type SessionScript = keyof typeof SESSION_SCRIPTS
