// Scripts: compiled once, kept by the SHA-1 of their source, run in one Lua state without ever yielding, so that a
// script is atomic.
import { sha1Hex } from '../engine/hash.ts'
import { CommandError, noScript } from '../engine/reply.ts'
import type { Reply } from '../engine/reply.ts'
import { lauxlib, lua } from './fengari.ts'
import type { LuaState } from './fengari.ts'
import { argumentAt, name, pushTexts, textField, toBytes, toReply } from './lua-values.ts'
import { pushError } from './redis-library.ts'
import { openSandbox, setScriptGlobal } from './sandbox.ts'
import { readShebang } from './shebang.ts'

/** How a script reaches the engine. */
export type ScriptCall = (args: readonly string[], readOnly: boolean) => Reply

export interface Invocation {
  readonly keys: readonly string[]
  readonly args: readonly string[]
  readonly readOnly: boolean
}

interface Script {
  readonly hash: string
  /** Where the compiled function lies in the state's registry. */
  readonly ref: number
  readonly noWrites: boolean
}

const mostScripts = 1000
/** In instructions of the Lua machine: some milliseconds of work. */
const checkTimeEvery = 100_000
const chunkName = '@user_script'

export class ScriptRunner {
  readonly #state: LuaState = lauxlib.luaL_newstate()
  readonly #globals: number
  /** In order of last use. */
  readonly #scripts = new Map<string, Script>()
  readonly #longestMs: number
  #readOnly = false
  #running = false
  #deadline = Infinity

  /** `longestMs` is how long a script may run before it is stopped. */
  constructor(call: ScriptCall, longestMs = 5000) {
    this.#longestMs = longestMs
    this.#globals = openSandbox(this.#state, (args) => call(args, this.#readOnly))
    lua.lua_atnativeerror(this.#state, describeNativeError)
    this.#watch(this.#state, checkTimeEvery)
  }

  /** Compiles the source unless it is known, and answers its hash. */
  load(source: string): string {
    return this.#compile(source).hash
  }

  has(hash: string): boolean {
    return this.#scripts.has(hash.toLowerCase())
  }

  flush(): void {
    for (const script of this.#scripts.values()) this.#forget(script)
  }

  evaluate(source: string, invocation: Invocation): Reply {
    return this.#run(this.#compile(source), invocation)
  }

  evaluateHash(hash: string, invocation: Invocation): Reply {
    const script = this.#scripts.get(hash.toLowerCase())
    if (script === undefined) throw noScript()
    this.#scripts.delete(script.hash)
    this.#scripts.set(script.hash, script)
    return this.#run(script, invocation)
  }

  #compile(source: string): Script {
    const hash = sha1Hex(source)
    const known = this.#scripts.get(hash)
    if (known !== undefined) return known
    const { body, noWrites } = readShebang(source)
    const script = { hash, ref: this.#compileBody(body), noWrites }
    this.#scripts.set(hash, script)
    if (this.#scripts.size > mostScripts) {
      const oldest = this.#scripts.values().next()
      if (oldest.done !== true) this.#forget(oldest.value)
    }
    return script
  }

  #compileBody(body: string): number {
    const L = this.#state
    const bytes = toBytes(body)
    const status = lauxlib.luaL_loadbufferx(L, bytes, bytes.length, name(chunkName), name('t'))
    if (status !== lua.LUA_OK) {
      const reason = argumentAt(L, -1) ?? ''
      lua.lua_pop(L, 1)
      throw new CommandError(`ERR Error compiling script (new function): ${oneLine(reason)}`)
    }
    lua.lua_rawgeti(L, lua.LUA_REGISTRYINDEX, this.#globals)
    lua.lua_setupvalue(L, -2, 1)
    return lauxlib.luaL_ref(L, lua.LUA_REGISTRYINDEX)
  }

  /** An endless script would stop everything for good; nothing else can run to end it. */
  #checkTime(L: LuaState): void {
    if (performance.now() < this.#deadline) return
    // From here on each instruction fails, so that no pcall of the script can go on.
    this.#watch(L, 1)
    this.#watch(this.#state, 1)
    pushError(L, `ERR script ran for more than ${this.#longestMs} ms and was stopped`)
    lua.lua_error(L)
  }

  #watch(L: LuaState, every: number): void {
    lua.lua_sethook(L, (thread) => this.#checkTime(thread), lua.LUA_MASKCOUNT, every)
  }

  #forget(script: Script): void {
    this.#scripts.delete(script.hash)
    lauxlib.luaL_unref(this.#state, lua.LUA_REGISTRYINDEX, script.ref)
  }

  #run(script: Script, invocation: Invocation): Reply {
    if (this.#running) throw new CommandError('ERR This Redis command is not allowed from script')
    const L = this.#state
    this.#running = true
    this.#readOnly = invocation.readOnly || script.noWrites
    try {
      lua.lua_settop(L, 0)
      pushTexts(L, invocation.keys)
      setScriptGlobal(L, 'KEYS')
      pushTexts(L, invocation.args)
      setScriptGlobal(L, 'ARGV')
      lua.lua_rawgeti(L, lua.LUA_REGISTRYINDEX, script.ref)
      this.#deadline = performance.now() + this.#longestMs
      const status = lua.lua_pcall(L, 0, 1, 0)
      if (status === lua.LUA_OK) return toReply(L, 1)
      throw new CommandError(describeError(L, script.hash))
    } finally {
      lua.lua_settop(L, 0)
      if (performance.now() >= this.#deadline) this.#watch(L, checkTimeEvery)
      this.#running = false
    }
  }
}

const oneLine = (text: string): string => text.replace(/[\r\n]/g, ' ')

/** The text of an uncaught error as Redis words it: what, in which script, at which line. */
function describeError(L: LuaState, hash: string): string {
  const table = lua.lua_type(L, -1) === lua.LUA_TTABLE
  const text = table ? (textField(L, -1, 'err') ?? 'ERR unknown error') : thrownText(L)
  const line = table ? textField(L, -1, 'line') : (/user_script:(\d+):/.exec(text)?.[1] ?? null)
  const where = line === null ? '' : `, on @user_script:${line}.`
  return oneLine(`${text} script: ${hash}${where}`)
}

const thrownText = (L: LuaState): string =>
  `ERR ${argumentAt(L, -1) ?? '(error object is no string)'}`

/** An exception of JavaScript inside the machine (stack, memory, a fault of ours) becomes an error of the script. */
function describeNativeError(L: LuaState): number {
  const error = lua.lua_touserdata(L, -1)
  pushError(L, `ERR ${error instanceof Error ? error.message : 'script failed'}`)
  return 1
}
