// The first line of a script may be `#!lua flags=a,b`. Upstash knows one flag more than Redis.
import { CommandError } from '../engine/reply.ts'

export interface Shebang {
  /** Redis refuses a script's undeclared behaviour only once it has such a line. */
  readonly present: boolean
  readonly noWrites: boolean
  /** The script as Lua takes it: the line emptied, so that line numbers stay. */
  readonly body: string
}

const knownFlags = new Set([
  'allow-cross-slot-keys',
  'allow-key-locking',
  'allow-oom',
  'allow-stale',
  'no-cluster',
  'no-writes',
])

export function readShebang(source: string): Shebang {
  if (!source.startsWith('#!')) return { present: false, noWrites: false, body: source }
  const end = source.indexOf('\n')
  if (end < 0) throw new CommandError('ERR Invalid script shebang')
  const [engine, ...words] = source.slice(2, end).trim().split(/\s+/)
  if (engine !== 'lua') {
    throw new CommandError(`ERR Unexpected engine in script shebang: ${engine ?? ''}`)
  }
  const flags = words.flatMap(flagsOf)
  return { present: true, noWrites: flags.includes('no-writes'), body: source.slice(end) }
}

function flagsOf(word: string): string[] {
  if (!word.startsWith('flags=')) {
    throw new CommandError(`ERR Unknown lua shebang option: ${word}`)
  }
  const flags = word
    .slice('flags='.length)
    .split(',')
    .filter((flag) => flag !== '')
  const unknown = flags.find((flag) => !knownFlags.has(flag))
  if (unknown !== undefined) {
    throw new CommandError(`ERR Unexpected flag in script shebang: ${unknown}`)
  }
  return flags
}
