// The `cjson` library that Redis gives to scripts. Strings are bytes: what is no ASCII passes through unchanged.
import { lua } from './fengari.ts'
import type { LuaState } from './fengari.ts'
import { argumentAt, formatG, name, pushText } from './lua-values.ts'
import { pushError } from './redis-library.ts'

const deepest = 1000

/** JSON null in a table, where nil would be no element; one value, so that scripts can compare with it. */
const nullMark = { toString: () => 'null' }

class JsonError extends Error {}

export function pushCjsonLibrary(L: LuaState): void {
  lua.lua_newtable(L)
  addFunction(L, 'encode', (state) => pushText(state, encode(state, 1, 0)))
  addFunction(L, 'decode', (state) => push(state, parse(argumentAt(state, 1)), 0))
  lua.lua_pushstring(L, name('null'))
  lua.lua_pushlightuserdata(L, nullMark)
  lua.lua_rawset(L, -3)
}

function addFunction(L: LuaState, key: string, run: (L: LuaState) => void): void {
  lua.lua_pushstring(L, name(key))
  lua.lua_pushcfunction(L, (state) => {
    try {
      run(state)
      return 1
    } catch (error) {
      if (!(error instanceof JsonError)) throw error
      pushError(state, `ERR ${error.message}`)
      return lua.lua_error(state)
    }
  })
  lua.lua_rawset(L, -3)
}

function parse(text: string | null): unknown {
  if (text === null) throw new JsonError('bad argument #1 to decode (string expected)')
  try {
    return JSON.parse(text.includes('\\u') ? escapesToBytes(text) : text)
  } catch {
    throw new JsonError('Expected value but found invalid token at character 1')
  }
}

/** Turns \u escapes above ASCII into UTF-8 bytes, since the text is one of bytes already. */
function escapesToBytes(text: string): string {
  return text.replace(/(?:\\u[0-9a-f]{4})+|\\./gis, (escape) => {
    if (!/^\\u/i.test(escape)) return escape
    const units = escape.match(/[0-9a-f]{4}/gi) ?? []
    const unicode = units.map((unit) => String.fromCharCode(Number.parseInt(unit, 16))).join('')
    const bytes = Buffer.from(unicode, 'utf8').toString('latin1')
    return JSON.stringify(bytes).slice(1, -1)
  })
}

function push(L: LuaState, value: unknown, depth: number): void {
  if (depth > deepest) throw new JsonError('Found too many nested data structures (1001)')
  lua.lua_checkstack(L, 5)
  if (typeof value === 'string') pushText(L, value)
  else if (typeof value === 'number') lua.lua_pushnumber(L, value)
  else if (typeof value === 'boolean') lua.lua_pushboolean(L, value)
  else if (Array.isArray(value)) pushArray(L, value, depth)
  else if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
    lua.lua_createtable(L, 0, entries.length)
    for (const [key, item] of entries) {
      pushText(L, key)
      push(L, item, depth + 1)
      lua.lua_rawset(L, -3)
    }
  } else lua.lua_pushlightuserdata(L, nullMark)
}

function pushArray(L: LuaState, items: readonly unknown[], depth: number): void {
  lua.lua_createtable(L, items.length, 0)
  for (const [at, item] of items.entries()) {
    push(L, item, depth + 1)
    lua.lua_rawseti(L, -2, at + 1)
  }
}

function encode(L: LuaState, index: number, depth: number): string {
  if (depth > deepest) throw new JsonError('Cannot serialise, excessive depth (1001)')
  const type = lua.lua_type(L, index)
  if (type === lua.LUA_TSTRING) return quote(argumentAt(L, index) ?? '')
  if (type === lua.LUA_TNUMBER) return encodeNumber(lua.lua_tonumber(L, index))
  if (type === lua.LUA_TBOOLEAN) return lua.lua_toboolean(L, index) ? 'true' : 'false'
  if (type === lua.LUA_TNIL) return 'null'
  if (type === lua.LUA_TLIGHTUSERDATA && lua.lua_touserdata(L, index) === nullMark) return 'null'
  if (type === lua.LUA_TTABLE) return encodeTable(L, index, depth)
  throw new JsonError('Cannot serialise value: type not supported')
}

function encodeNumber(value: number): string {
  if (!Number.isFinite(value)) {
    throw new JsonError('Cannot serialise number: must not be NaN or Inf')
  }
  return formatG(value, 14)
}

/** Each character is a byte; JSON.stringify leaves all above ASCII as they are. */
const quote = (text: string): string =>
  JSON.stringify(text).replaceAll('/', '\\/').replaceAll('\x7f', '\\u007f')

function encodeTable(L: LuaState, index: number, depth: number): string {
  lua.lua_checkstack(L, 5)
  const length = arrayLength(L, index)
  if (length > 0) {
    const items: string[] = []
    for (let at = 1; at <= length; at++) {
      lua.lua_rawgeti(L, index, at)
      items.push(encode(L, lua.lua_gettop(L), depth + 1))
      lua.lua_pop(L, 1)
    }
    return `[${items.join(',')}]`
  }
  const members: string[] = []
  lua.lua_pushnil(L)
  while (lua.lua_next(L, index) !== 0) {
    const top = lua.lua_gettop(L)
    const key = keyText(L, top - 1)
    members.push(`${quote(key)}:${encode(L, top, depth + 1)}`)
    lua.lua_pop(L, 1)
  }
  return `{${members.join(',')}}`
}

function keyText(L: LuaState, index: number): string {
  if (lua.lua_type(L, index) === lua.LUA_TNUMBER) return formatG(lua.lua_tonumber(L, index), 14)
  const text = argumentAt(L, index)
  if (text === null)
    throw new JsonError('Cannot serialise table: table key must be a number or string')
  return text
}

/** The highest index if all keys are positive integers, else 0; a list with mostly holes is refused. */
function arrayLength(L: LuaState, index: number): number {
  let highest = 0
  let count = 0
  lua.lua_pushnil(L)
  while (lua.lua_next(L, index) !== 0) {
    lua.lua_pop(L, 1)
    const key = lua.lua_type(L, -1) === lua.LUA_TNUMBER ? lua.lua_tonumber(L, -1) : 0
    if (key < 1 || !Number.isInteger(key)) {
      lua.lua_pop(L, 1)
      return 0
    }
    highest = Math.max(highest, key)
    count++
  }
  if (highest > 10 && highest > count * 2) {
    throw new JsonError('Cannot serialise table: excessively sparse array')
  }
  return highest
}
