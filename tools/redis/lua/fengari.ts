// The Lua virtual machine, typed as far as it is used here and bent from Lua 5.3 to Redis's Lua 5.1 in the one
// place where they differ: Redis knows no integers, every number is a double. Fengari's integers have 32 bits, so
// without this `window * 2` would wrap round for windows above 12 days and 10 / 2 would print as 5.0.
import { createRequire } from 'node:module'

/** An opaque Lua state. */
export interface LuaState {
  readonly __lua: never
}

export type LuaFunction = (L: LuaState) => number

export interface Lua {
  readonly LUA_REGISTRYINDEX: number
  readonly LUA_OK: number
  readonly LUA_TNIL: number
  readonly LUA_TBOOLEAN: number
  readonly LUA_TLIGHTUSERDATA: number
  readonly LUA_TNUMBER: number
  readonly LUA_TSTRING: number
  readonly LUA_TTABLE: number
  readonly LUA_MASKCOUNT: number
  lua_atnativeerror(L: LuaState, handler: LuaFunction | null): void
  lua_checkstack(L: LuaState, size: number): boolean
  lua_createtable(L: LuaState, items: number, fields: number): void
  lua_error(L: LuaState): never
  lua_getglobal(L: LuaState, name: Uint8Array): number
  lua_gettop(L: LuaState): number
  lua_isnil(L: LuaState, index: number): boolean
  lua_newtable(L: LuaState): void
  lua_next(L: LuaState, index: number): number
  lua_pcall(L: LuaState, args: number, results: number, handler: number): number
  lua_pop(L: LuaState, count: number): void
  lua_pushboolean(L: LuaState, value: boolean): void
  lua_pushcfunction(L: LuaState, run: LuaFunction): void
  lua_pushlightuserdata(L: LuaState, value: unknown): void
  lua_pushnil(L: LuaState): void
  lua_pushnumber(L: LuaState, value: number): void
  lua_pushstring(L: LuaState, text: Uint8Array): void
  lua_pushvalue(L: LuaState, index: number): void
  lua_rawget(L: LuaState, index: number): number
  lua_rawgeti(L: LuaState, index: number, item: number): number
  lua_rawset(L: LuaState, index: number): void
  lua_rawseti(L: LuaState, index: number, item: number): void
  lua_remove(L: LuaState, index: number): void
  lua_sethook(L: LuaState, hook: ((L: LuaState) => void) | null, mask: number, n: number): void
  lua_setglobal(L: LuaState, name: Uint8Array): void
  lua_setmetatable(L: LuaState, index: number): void
  lua_settop(L: LuaState, top: number): void
  lua_setupvalue(L: LuaState, index: number, n: number): Uint8Array | null
  lua_toboolean(L: LuaState, index: number): boolean
  lua_tolstring(L: LuaState, index: number): Uint8Array | null
  lua_tonumber(L: LuaState, index: number): number
  lua_touserdata(L: LuaState, index: number): unknown
  lua_type(L: LuaState, index: number): number
}

/** The mode `t` keeps precompiled chunks out. */
export type LoadBuffer = (
  ...given: [L: LuaState, source: Uint8Array, size: number, name: Uint8Array, mode: Uint8Array]
) => number

export interface LuaAuxiliary {
  luaL_loadbufferx: LoadBuffer
  luaL_newstate(): LuaState
  luaL_ref(L: LuaState, table: number): number
  luaL_requiref(L: LuaState, name: Uint8Array, open: LuaFunction, global: number): void
  luaL_unref(L: LuaState, table: number, ref: number): void
  luaL_where(L: LuaState, level: number): void
}

export interface LuaLibraries {
  luaopen_base: LuaFunction
  luaopen_coroutine: LuaFunction
  luaopen_math: LuaFunction
  luaopen_string: LuaFunction
  luaopen_table: LuaFunction
}

/** A tagged value inside the machine, as the number parser fills it. */
interface TaggedNumber {
  value: number
  ttisinteger(): boolean
  setfltvalue(value: number): void
}

interface Internals {
  luaconf: { LUA_COMPAT_FLOATSTRING: boolean }
  lapi: Pick<Lua, 'lua_pushnumber'> & { lua_pushinteger: Lua['lua_pushnumber'] }
  lobject: { luaO_str2num: (text: Uint8Array, into: TaggedNumber) => number }
}

const load = createRequire(import.meta.url)

// The order matters: these files need each other, and the libraries copy functions when they are loaded.
load('fengari/src/defs.js')
const luaconf: Internals['luaconf'] = load('fengari/src/luaconf.js')
luaconf.LUA_COMPAT_FLOATSTRING = true
const lapi: Internals['lapi'] = load('fengari/src/lapi.js')
lapi.lua_pushinteger = lapi.lua_pushnumber
const lobject: Internals['lobject'] = load('fengari/src/lobject.js')
const parseNumber = lobject.luaO_str2num
lobject.luaO_str2num = (text, into) => {
  const used = parseNumber(text, into)
  if (used > 0 && into.ttisinteger()) into.setfltvalue(exactly(text, into.value))
  return used
}

/** A hexadecimal numeral of more than 31 bits has already wrapped round when it arrives here. */
function exactly(text: Uint8Array, parsed: number): number {
  if (text.length < 10) return parsed
  const numeral = String.fromCharCode(...text)
    .replace(/\0.*$/s, '')
    .trim()
  const hexadecimal = /^(-?)(0x[0-9a-f]+)$/i.exec(numeral)
  if (hexadecimal === null) return parsed
  return Number(hexadecimal[2]) * (hexadecimal[1] === '-' ? -1 : 1)
}

const fengari: { lua: Lua; lauxlib: LuaAuxiliary; lualib: LuaLibraries } = load('fengari')

export const lua = fengari.lua
export const lauxlib = fengari.lauxlib
export const lualib = fengari.lualib
