// The `redis` table of a script: call, pcall, replies, and the few functions that are only there to be accepted.
import { sha1Hex } from '../engine/hash.ts'
import { CommandError, isFailure } from '../engine/reply.ts'
import type { Reply } from '../engine/reply.ts'
import { lauxlib, lua } from './fengari.ts'
import type { LuaFunction, LuaState } from './fengari.ts'
import {
  argumentAt,
  fromBytes,
  name,
  pushReply,
  pushSingleField,
  pushText,
  setTextField,
} from './lua-values.ts'

/** Runs one command for the script and answers or throws as for a client. */
export type CallFromScript = (args: readonly string[]) => Reply

export function pushRedisLibrary(L: LuaState, call: CallFromScript): void {
  const functions: Readonly<Record<string, LuaFunction>> = {
    call: (state) => invoke(state, call, true),
    pcall: (state) => invoke(state, call, false),
    error_reply: (state) => errorReply(state),
    status_reply: (state) => statusReply(state),
    sha1hex: (state) => sha1(state),
    log: () => 0,
    setresp: () => 0,
    set_repl: () => 0,
    breakpoint: () => 0,
    debug: () => 0,
    replicate_commands: (state) => {
      lua.lua_pushboolean(state, true)
      return 1
    },
  }
  lua.lua_newtable(L)
  for (const [key, run] of Object.entries(functions)) {
    lua.lua_pushstring(L, name(key))
    lua.lua_pushcfunction(L, run)
    lua.lua_rawset(L, -3)
  }
  for (const [key, value] of Object.entries(constants)) {
    lua.lua_pushstring(L, name(key))
    lua.lua_pushnumber(L, value)
    lua.lua_rawset(L, -3)
  }
}

const constants: Readonly<Record<string, number>> = {
  LOG_DEBUG: 0,
  LOG_VERBOSE: 1,
  LOG_NOTICE: 2,
  LOG_WARNING: 3,
  REPL_NONE: 0,
  REPL_AOF: 1,
  REPL_SLAVE: 2,
  REPL_REPLICA: 2,
  REPL_ALL: 3,
}

function invoke(L: LuaState, call: CallFromScript, raises: boolean): number {
  const reply = attempt(L, call)
  if (!isFailure(reply)) {
    lua.lua_checkstack(L, 20)
    pushReply(L, reply)
    return 1
  }
  pushError(L, reply.failure)
  return raises ? lua.lua_error(L) : 1
}

function attempt(L: LuaState, call: CallFromScript): Reply {
  const count = lua.lua_gettop(L)
  if (count === 0) {
    return { failure: 'ERR Please specify at least one argument for this redis.call() call' }
  }
  const args: string[] = []
  for (let at = 1; at <= count; at++) {
    const argument = argumentAt(L, at)
    if (argument === null) {
      return { failure: 'ERR Lua redis lib command arguments must be strings or integers' }
    }
    args.push(argument)
  }
  try {
    return call(args)
  } catch (error) {
    if (error instanceof CommandError) return { failure: error.message }
    throw error
  }
}

/** An error table that knows the line of the script, as Redis adds it to the text that the client sees. */
export function pushError(L: LuaState, text: string): void {
  lauxlib.luaL_where(L, 1)
  const where = fromBytes(lua.lua_tolstring(L, -1) ?? new Uint8Array())
  lua.lua_pop(L, 1)
  pushSingleField(L, 'err', text)
  const line = /^user_script:(\d+): $/.exec(where)?.[1]
  if (line === undefined) return
  setTextField(L, 'source', '@user_script')
  setTextField(L, 'line', line)
}

function errorReply(L: LuaState): number {
  if (lua.lua_gettop(L) !== 1 || lua.lua_type(L, 1) !== lua.LUA_TSTRING) {
    pushError(L, 'ERR wrong number or type of arguments')
    return 1
  }
  const text = (argumentAt(L, 1) ?? '').replace(/^-/, '')
  pushSingleField(L, 'err', text.includes(' ') ? text : `ERR ${text}`)
  return 1
}

function statusReply(L: LuaState): number {
  if (lua.lua_gettop(L) !== 1 || lua.lua_type(L, 1) !== lua.LUA_TSTRING) {
    pushError(L, 'ERR wrong number or type of arguments')
    return 1
  }
  pushSingleField(L, 'ok', argumentAt(L, 1) ?? '')
  return 1
}

function sha1(L: LuaState): number {
  if (lua.lua_gettop(L) !== 1) {
    pushError(L, 'ERR wrong number of arguments')
    return lua.lua_error(L)
  }
  pushText(L, sha1Hex(argumentAt(L, 1) ?? ''))
  return 1
}
