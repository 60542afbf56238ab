// The SCAN family. HSCAN, SSCAN and ZSCAN answer a whole collection in one page, which the promise of SCAN allows
// (COUNT is a hint) and which Redis itself does for small ones.
import type { CommandContext } from './command.ts'
import { matchesGlob } from './glob.ts'
import { parseCount } from './numbers.ts'
import { CommandError, syntaxError } from './reply.ts'
import type { Reply } from './reply.ts'

interface ScanOptions {
  readonly match: string | null
  readonly count: number
  readonly type: string | null
}

export function scanKeys(context: CommandContext, args: readonly string[]): Reply {
  const cursor = parseCursor(args[0] ?? '')
  const options = parseOptions(args.slice(1), true)
  const page = context.db.scan(cursor, options.count)
  const keys = page.keys.filter((key) => {
    if (options.match !== null && !matchesGlob(options.match, key)) return false
    return options.type === null || context.db.find(key)?.value.kind === options.type
  })
  return [String(page.next), keys]
}

type Members = readonly (readonly [string, ...string[]])[]

/** `args` begin with the cursor; the members are tuples whose first part is matched. */
export function scanCollection(args: readonly string[], read: () => Members): Reply {
  parseCursor(args[0] ?? '')
  const members = read()
  if (members.length === 0) return ['0', []]
  const { match } = parseOptions(args.slice(1), false)
  const chosen = match === null ? members : members.filter(([name]) => matchesGlob(match, name))
  return ['0', chosen.flat()]
}

function parseCursor(text: string): number {
  const cursor = Number(text)
  if (!/^\d{1,20}$/.test(text) || !Number.isFinite(cursor)) {
    throw new CommandError('ERR invalid cursor')
  }
  return cursor
}

function parseOptions(words: readonly string[], withType: boolean): ScanOptions {
  let match: string | null = null
  let count = 10
  let type: string | null = null
  for (let at = 0; at < words.length; at += 2) {
    const word = (words[at] ?? '').toUpperCase()
    const argument = words[at + 1]
    if (argument === undefined) throw syntaxError()
    if (word === 'MATCH') match = argument
    else if (word === 'COUNT') {
      count = parseCount(argument)
      if (count < 1) throw syntaxError()
    } else if (word === 'TYPE' && withType) type = argument.toLowerCase()
    else throw syntaxError()
  }
  return { match, count, type }
}
