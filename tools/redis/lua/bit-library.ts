// The `bit` library that Redis gives to scripts: operations on 32-bit signed integers.
import { lua } from './fengari.ts'
import type { LuaState } from './fengari.ts'
import { name, pushText } from './lua-values.ts'

/** Numbers are taken modulo 2^32, as the library says. */
const integerAt = (L: LuaState, index: number): number => {
  const value = lua.lua_tonumber(L, index)
  return Number(BigInt.asIntN(32, BigInt(Number.isFinite(value) ? Math.round(value) : 0)))
}

type Fold = (left: number, right: number) => number

const folds: Readonly<Record<string, Fold>> = {
  band: (left, right) => left & right,
  bor: (left, right) => left | right,
  bxor: (left, right) => left ^ right,
}

const shifts: Readonly<Record<string, Fold>> = {
  lshift: (value, by) => value << by,
  rshift: (value, by) => value >>> by,
  arshift: (value, by) => value >> by,
  rol: (value, by) => (value << by) | (value >>> (32 - (by & 31))),
  ror: (value, by) => (value >>> by) | (value << (32 - (by & 31))),
}

export function pushBitLibrary(L: LuaState): void {
  lua.lua_newtable(L)
  for (const [key, fold] of Object.entries(folds)) {
    add(L, key, (state) => {
      let result = integerAt(state, 1)
      for (let at = 2; at <= lua.lua_gettop(state); at++)
        result = fold(result, integerAt(state, at))
      return result
    })
  }
  for (const [key, shift] of Object.entries(shifts)) {
    add(L, key, (state) => shift(integerAt(state, 1), integerAt(state, 2) & 31))
  }
  add(L, 'tobit', (state) => integerAt(state, 1))
  add(L, 'bnot', (state) => ~integerAt(state, 1))
  lua.lua_pushstring(L, name('tohex'))
  lua.lua_pushcfunction(L, toHex)
  lua.lua_rawset(L, -3)
}

function add(L: LuaState, key: string, compute: (L: LuaState) => number): void {
  lua.lua_pushstring(L, name(key))
  lua.lua_pushcfunction(L, (state) => {
    lua.lua_pushnumber(state, compute(state) | 0)
    return 1
  })
  lua.lua_rawset(L, -3)
}

function toHex(L: LuaState): number {
  const digits = lua.lua_gettop(L) > 1 ? integerAt(L, 2) : 8
  const width = Math.min(8, Math.abs(digits))
  const text = (integerAt(L, 1) >>> 0)
    .toString(16)
    .padStart(8, '0')
    .slice(8 - width)
  pushText(L, digits < 0 ? text.toUpperCase() : text)
  return 1
}
