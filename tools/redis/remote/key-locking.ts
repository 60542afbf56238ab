// Upstash's script flag `allow-key-locking` is unknown to Redis, which refuses the script. It is taken out on the
// way; since that changes the script's hash, the hash that the client knows is mapped to the one of the server.
import { sha1Hex } from '../engine/hash.ts'
import type { Command } from '../engine/engine.ts'
import type { Reply } from '../engine/reply.ts'

const mostScripts = 1000
const flag = 'allow-key-locking'

export class KeyLockingScripts {
  /** Hash of the client's script to hash of the server's, in order of last use. */
  readonly #hashes = new Map<string, string>()

  /** The command as a Redis server takes it. */
  toServer(command: Command): Command {
    const name = command[0]?.toUpperCase()
    if (name === 'EVAL' || name === 'EVAL_RO') return this.#withScript(command, 1)
    if (name === 'EVALSHA' || name === 'EVALSHA_RO') return this.#withHashes(command, 1, 2)
    if (name !== 'SCRIPT') return command
    const word = command[1]?.toUpperCase()
    if (word === 'LOAD') return this.#withScript(command, 2)
    return word === 'EXISTS' ? this.#withHashes(command, 2, command.length) : command
  }

  /** The reply as the client expects it: SCRIPT LOAD answers the hash of the script that was sent. */
  toClient(command: Command, reply: Reply): Reply {
    const isLoad = command[0]?.toUpperCase() === 'SCRIPT' && command[1]?.toUpperCase() === 'LOAD'
    return isLoad && typeof reply === 'string' ? sha1Hex(command[2] ?? '') : reply
  }

  #withScript(command: Command, at: number): Command {
    const script = command[at]
    if (script === undefined) return command
    const stripped = stripKeyLocking(script)
    if (stripped === script) return command
    this.#remember(sha1Hex(script), sha1Hex(stripped))
    return command.with(at, stripped)
  }

  #withHashes(command: Command, from: number, to: number): Command {
    return command.map((argument, at) => {
      if (at < from || at >= to) return argument
      return this.#hashes.get(argument.toLowerCase()) ?? argument
    })
  }

  #remember(client: string, server: string): void {
    this.#hashes.delete(client)
    this.#hashes.set(client, server)
    if (this.#hashes.size <= mostScripts) return
    const oldest = this.#hashes.keys().next()
    if (oldest.done !== true) this.#hashes.delete(oldest.value)
  }
}

/** The script without the flag; its other flags and its line numbers stay. */
export function stripKeyLocking(script: string): string {
  if (!script.startsWith('#!lua')) return script
  const end = script.indexOf('\n')
  const line = end < 0 ? script : script.slice(0, end)
  if (!line.includes(flag)) return script
  const words = line.split(/\s+/).flatMap((word) => {
    if (!word.startsWith('flags=')) return [word]
    const flags = word.slice('flags='.length).split(',')
    const kept = flags.filter((name) => name !== flag && name !== '')
    return kept.length === 0 ? [] : [`flags=${kept.join(',')}`]
  })
  return words.join(' ').trimEnd() + script.slice(line.length)
}
