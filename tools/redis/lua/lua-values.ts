// Values across the border between the engine and Lua: binary strings, numbers as C prints them, and replies.
import { isFailure, isSimple } from '../engine/reply.ts'
import type { Reply } from '../engine/reply.ts'
import { lua } from './fengari.ts'
import type { LuaState } from './fengari.ts'

const names = new Map<string, Uint8Array>()

/** A Lua string for a name written in this program; kept, so that each is made once. */
export function name(text: string): Uint8Array {
  let bytes = names.get(text)
  if (bytes === undefined) {
    bytes = toBytes(text)
    names.set(text, bytes)
  }
  return bytes
}

export function toBytes(binary: string): Uint8Array {
  const bytes = new Uint8Array(binary.length)
  if (binary.length > 64) Buffer.from(bytes.buffer).write(binary, 'latin1')
  else for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at)
  return bytes
}

export function fromBytes(bytes: Uint8Array): string {
  if (bytes.length > 64) {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  }
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}

export function pushText(L: LuaState, binary: string): void {
  lua.lua_pushstring(L, toBytes(binary))
}

/** The string or number at an index as text, numbers as Redis hands them to a command; null for the rest. */
export function argumentAt(L: LuaState, index: number): string | null {
  const type = lua.lua_type(L, index)
  if (type === lua.LUA_TNUMBER) return formatG(lua.lua_tonumber(L, index), 17)
  if (type !== lua.LUA_TSTRING) return null
  const bytes = lua.lua_tolstring(L, index)
  return bytes === null ? null : fromBytes(bytes)
}

/** C's %.Ng; integers are written out whole as long as they are exact. */
export function formatG(value: number, precision: number): string {
  if (Number.isNaN(value)) return '-nan'
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf'
  if (Number.isSafeInteger(value) && String(value).length <= precision) return String(value)
  const [mantissa = '', exponentText = '0'] = value.toExponential(precision - 1).split('e')
  const exponent = Number(exponentText)
  if (exponent >= -4 && exponent < precision) {
    return dropZeros(value.toFixed(Math.max(0, precision - 1 - exponent)))
  }
  const digits = String(Math.abs(exponent)).padStart(2, '0')
  return `${dropZeros(mantissa)}e${exponent < 0 ? '-' : '+'}${digits}`
}

const dropZeros = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text)

/** A field of the table at an index when it is a string. */
export function textField(L: LuaState, index: number, field: string): string | null {
  lua.lua_pushvalue(L, index)
  lua.lua_pushstring(L, name(field))
  lua.lua_rawget(L, -2)
  const text = lua.lua_type(L, -1) === lua.LUA_TSTRING ? argumentAt(L, -1) : null
  lua.lua_pop(L, 2)
  return text
}

/** A new table with one string field, left on the stack. */
export function pushSingleField(L: LuaState, field: string, text: string): void {
  lua.lua_createtable(L, 0, 1)
  setTextField(L, field, text)
}

/** Sets a string field of the table on top of the stack. */
export function setTextField(L: LuaState, field: string, text: string): void {
  lua.lua_pushstring(L, name(field))
  pushText(L, text)
  lua.lua_rawset(L, -3)
}

export function pushTexts(L: LuaState, texts: readonly string[]): void {
  lua.lua_createtable(L, texts.length, 0)
  for (const [at, text] of texts.entries()) {
    pushText(L, text)
    lua.lua_rawseti(L, -2, at + 1)
  }
}

export function pushReply(L: LuaState, reply: Reply): void {
  if (typeof reply === 'string') pushText(L, reply)
  else if (typeof reply === 'number') lua.lua_pushnumber(L, reply)
  else if (typeof reply === 'bigint') lua.lua_pushnumber(L, Number(reply))
  else if (reply === null) lua.lua_pushboolean(L, false)
  else if (isSimple(reply)) pushSingleField(L, 'ok', reply.simple)
  else if (isFailure(reply)) pushSingleField(L, 'err', reply.failure)
  else {
    lua.lua_createtable(L, reply.length, 0)
    for (const [at, item] of reply.entries()) {
      pushReply(L, item)
      lua.lua_rawseti(L, -2, at + 1)
    }
  }
}

const deepestReply = 100

/** What a script's result becomes: numbers lose their fraction, false is nil, tables end at their first nil. */
export function toReply(L: LuaState, index: number, depth = 0): Reply {
  const type = lua.lua_type(L, index)
  if (type === lua.LUA_TSTRING) return argumentAt(L, index)
  if (type === lua.LUA_TNUMBER) return toInteger(lua.lua_tonumber(L, index))
  if (type === lua.LUA_TBOOLEAN) return lua.lua_toboolean(L, index) ? 1 : null
  if (type !== lua.LUA_TTABLE) return null
  if (depth >= deepestReply || !lua.lua_checkstack(L, 10)) {
    return { failure: 'ERR reached lua stack limit' }
  }
  const failure = textField(L, index, 'err')
  if (failure !== null) return { failure: failure.replace(/[\r\n]/g, ' ') }
  const simple = textField(L, index, 'ok')
  if (simple !== null) return { simple: simple.replace(/[\r\n]/g, ' ') }
  return arrayReply(L, index, depth)
}

function arrayReply(L: LuaState, index: number, depth: number): Reply {
  const items: Reply[] = []
  lua.lua_pushvalue(L, index)
  for (let at = 1; ; at++) {
    lua.lua_rawgeti(L, -1, at)
    const ended = lua.lua_isnil(L, -1)
    if (!ended) items.push(toReply(L, lua.lua_gettop(L), depth + 1))
    lua.lua_pop(L, 1)
    if (ended) break
  }
  lua.lua_pop(L, 1)
  return items
}

function toInteger(value: number): number | bigint {
  const whole = Math.trunc(value)
  if (Number.isSafeInteger(whole)) return whole === 0 ? 0 : whole
  if (whole > -(2 ** 63) && whole < 2 ** 63) return BigInt(whole)
  return -(2n ** 63n)
}
