// The sums of core/limits/sliding-window.ts in Lua: all windows of a request in one atomic step, one read and at
// most one write for each log. A log (a tenant's, an address's, the deployment's) is one text of whole numbers: for each
// window its length, its number of bursts, and for each burst its first time, its last time and its count.

/**
 * KEYS: the logs. ARGV: now, +1, 0 or -1, then for each window the number of its log, its length, its limit, its burst
 * length.
 */
export const WINDOWS_SCRIPT = `#!lua flags=allow-key-locking
local now, amount = tonumber(ARGV[1]), tonumber(ARGV[2])

local logs, longest, written = {}, {}, {}
for place = 1, #KEYS do
  logs[place], longest[place], written[place] = {}, 0, {}
  local stored = redis.call('GET', KEYS[place])
  if stored then
    local numbers = string.gmatch(stored, '%d+')
    local windowMs = numbers()
    while windowMs do
      local log = {}
      for index = 1, 3 * tonumber(numbers()) do log[index] = tonumber(numbers()) end
      logs[place][tonumber(windowMs)] = log
      windowMs = numbers()
    end
  end
end

local windows, retryAt = {}, now
for argument = 3, #ARGV, 4 do
  local place = tonumber(ARGV[argument])
  local windowMs, limit = tonumber(ARGV[argument + 1]), tonumber(ARGV[argument + 2])
  local old, log, used = logs[place][windowMs] or {}, {}, 0
  for index = 1, #old, 3 do
    local first, last, count = math.min(old[index], now), math.min(old[index + 1], now), old[index + 2]
    if last + windowMs > now then
      log[#log + 1] = first
      log[#log + 1] = last
      log[#log + 1] = count
      used = used + count
    end
  end
  local over = used + amount - limit
  if amount > 0 and over > 0 then
    local freeAt = now + windowMs
    for index = 1, #log, 3 do
      over = over - log[index + 2]
      if over <= 0 then
        freeAt = log[index + 1] + windowMs
        break
      end
    end
    retryAt = math.max(retryAt, freeAt)
  end
  longest[place] = math.max(longest[place], windowMs)
  windows[#windows + 1] = {
    place = place, windowMs = windowMs, burstMs = tonumber(ARGV[argument + 3]), log = log, used = used
  }
end

local admitted = retryAt <= now
local result = { admitted and 1 or 0, retryAt - now }
for _, window in ipairs(windows) do
  local log = window.log
  local newest = #log - 2
  if admitted and amount > 0 then
    if newest < 1 or now - log[newest] >= window.burstMs then
      log[#log + 1] = now
      log[#log + 1] = now
      log[#log + 1] = 1
    else
      log[newest + 1] = now
      log[newest + 2] = log[newest + 2] + 1
    end
    window.used = window.used + 1
  elseif amount < 0 and newest > 0 then
    log[newest + 2] = log[newest + 2] - 1
    if log[newest + 2] == 0 then
      for _ = 1, 3 do log[#log] = nil end
    end
    window.used = window.used - 1
  end
  result[#result + 1] = window.used
  result[#result + 1] = #log > 0 and log[#log - 1] + window.windowMs - now or 0
  local numbers = written[window.place]
  numbers[#numbers + 1] = window.windowMs
  numbers[#numbers + 1] = #log / 3
  for index = 1, #log do numbers[#numbers + 1] = log[index] end
end
if admitted and amount ~= 0 then
  for place = 1, #KEYS do
    local numbers = written[place]
    for index = 1, #numbers do numbers[index] = string.format('%.0f', numbers[index]) end
    redis.call('SET', KEYS[place], table.concat(numbers, ' '), 'PX', longest[place])
  end
end
return result
`

/** SHA-1 of the text above, by which Redis knows it. */
export const WINDOWS_SCRIPT_HASH = '1e7613bdc7cf1d2ca1db612baaa5e46e5576c864'
