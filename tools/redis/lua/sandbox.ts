// The world of a script: the libraries of Redis's Lua, and globals that it can read but neither set nor miss.
import { pushBitLibrary } from './bit-library.ts'
import { pushCjsonLibrary } from './cjson-library.ts'
import { lauxlib, lua, lualib } from './fengari.ts'
import type { LuaState } from './fengari.ts'
import { name, pushText, toBytes } from './lua-values.ts'
import { pushRedisLibrary } from './redis-library.ts'
import type { CallFromScript } from './redis-library.ts'

/** What Lua 5.1 had and 5.3 dropped or does otherwise, then the guard around the globals. */
const prelude = `
unpack = table.unpack
table.getn = function(t) return #t end
table.maxn = function(t)
  local most = 0
  for k in pairs(t) do if type(k) == 'number' and k > most then most = k end end
  return most
end
math.pow = function(x, y) return x ^ y end
math.mod = math.fmod
math.log10 = function(x) return math.log(x, 10) end
math.ldexp = function(m, e) return m * 2 ^ e end
string.gfind = string.gmatch

local rep = string.rep
string.rep = function(text, times, ...)
  if #text * times > 67108864 then error('resulting string too large', 2) end
  return rep(text, times, ...)
end

-- %d took any double in 5.1; here it would be held to 32 bits.
local format = string.format
string.format = function(pattern, ...)
  local values, at = { ... }, 0
  pattern = string.gsub(pattern, '%%([-+ #0-9.]*)(.)', function(flags, letter)
    if letter == '%' then return nil end
    at = at + 1
    if letter ~= 'd' and letter ~= 'i' then return nil end
    local value = tonumber(values[at])
    if value then values[at] = value < 0 and math.ceil(value) or math.floor(value) end
    return '%' .. flags .. '.0f'
  end)
  return format(pattern, unpack(values, 1, select('#', ...)))
end

os = { clock = __clock }
for _, dropped in ipairs({ 'dofile', 'loadfile', 'require', 'print', '__clock' }) do
  _G[dropped] = nil
end

local base = _G
local shown = {}
local compile = load
load = function(chunk, label, _, environment)
  return compile(chunk, label, 't', environment or shown)
end
loadstring = load
base._G = shown
setmetatable(base, { __index = function(_, key)
  error("Script attempted to access nonexistent global variable '" .. tostring(key) .. "'", 2)
end })
setmetatable(shown, {
  __index = base,
  __newindex = function() error('Attempt to modify a readonly table', 2) end,
  __metatable = false,
})
return shown
`

/** Fills a new state and answers a reference to the table that scripts see as their globals. */
export function openSandbox(L: LuaState, call: CallFromScript): number {
  for (const [library, open] of Object.entries({
    _G: lualib.luaopen_base,
    coroutine: lualib.luaopen_coroutine,
    math: lualib.luaopen_math,
    string: lualib.luaopen_string,
    table: lualib.luaopen_table,
  })) {
    lauxlib.luaL_requiref(L, name(library), open, 1)
    lua.lua_pop(L, 1)
  }
  lua.lua_pushcfunction(L, clock)
  lua.lua_setglobal(L, name('__clock'))
  pushRedisLibrary(L, call)
  lua.lua_setglobal(L, name('redis'))
  pushCjsonLibrary(L)
  lua.lua_setglobal(L, name('cjson'))
  pushBitLibrary(L)
  lua.lua_setglobal(L, name('bit'))
  runPrelude(L)
  return lauxlib.luaL_ref(L, lua.LUA_REGISTRYINDEX)
}

function runPrelude(L: LuaState): void {
  const source = toBytes(prelude)
  const failed =
    lauxlib.luaL_loadbufferx(L, source, source.length, name('@prelude'), name('t')) !==
      lua.LUA_OK || lua.lua_pcall(L, 0, 1, 0) !== lua.LUA_OK
  if (failed) {
    const reason = lua.lua_tolstring(L, -1)
    throw new Error(`Cannot prepare Lua: ${reason === null ? '' : Buffer.from(reason).toString()}`)
  }
}

function clock(L: LuaState): number {
  lua.lua_pushnumber(L, performance.now() / 1000)
  return 1
}

/** Sets a global of every script, past the guard. */
export function setScriptGlobal(L: LuaState, key: string): void {
  // The value lies on the stack; the real table of globals is the guarded one's base.
  lua.lua_rawgeti(L, lua.LUA_REGISTRYINDEX, globalsIndex)
  pushText(L, key)
  lua.lua_pushvalue(L, -3)
  lua.lua_rawset(L, -3)
  lua.lua_pop(L, 2)
}

/** LUA_RIDX_GLOBALS: where a state keeps its globals in the registry. */
const globalsIndex = 2
