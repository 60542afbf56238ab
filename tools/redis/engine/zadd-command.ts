// ZADD with all its options, and ZINCRBY.
import type { CommandContext } from './command.ts'
import { formatFloat, parseFloatStrictly } from './numbers.ts'
import { CommandError, syntaxError } from './reply.ts'
import type { Reply } from './reply.ts'
import { SortedSet } from './sorted-set.ts'

const flags = new Set(['NX', 'XX', 'GT', 'LT', 'CH', 'INCR'])

type Flags = ReadonlySet<string>

export function zaddCommand(context: CommandContext, args: readonly string[]): Reply {
  const [key, ...rest] = args as [string, ...string[]]
  const given = new Set<string>()
  let at = 0
  for (; flags.has((rest[at] ?? '').toUpperCase()); at++) given.add((rest[at] ?? '').toUpperCase())
  const pairs = rest.slice(at)
  if (pairs.length === 0 || pairs.length % 2 !== 0) throw syntaxError()
  checkFlags(given, pairs.length / 2)
  const entries: (readonly [number, string])[] = []
  for (let pair = 0; pair < pairs.length; pair += 2) {
    entries.push([parseFloatStrictly(pairs[pair] ?? ''), pairs[pair + 1] ?? ''])
  }
  return given.has('INCR')
    ? increment(context, key, entries, given)
    : add(context, key, entries, given)
}

function checkFlags(given: Flags, pairs: number): void {
  if (given.has('NX') && given.has('XX')) {
    throw new CommandError('ERR XX and NX options at the same time are not compatible')
  }
  if ([given.has('NX'), given.has('GT'), given.has('LT')].filter(Boolean).length > 1) {
    throw new CommandError('ERR GT, LT, and/or NX options at the same time are not compatible')
  }
  if (given.has('INCR') && pairs > 1) {
    throw new CommandError('ERR INCR option supports a single increment-element pair')
  }
}

type Entries = readonly (readonly [number, string])[]

function add(context: CommandContext, key: string, entries: Entries, given: Flags): Reply {
  const set = openUnless(context, key, given.has('XX'))
  if (set === undefined) return 0
  let added = 0
  let changed = 0
  for (const [score, member] of entries) {
    const old = set.score(member)
    if (!allows(given, old, score) || old === score) continue
    set.set(member, score)
    if (old === undefined) added++
    changed++
  }
  if (changed > 0) context.db.touch()
  context.db.dropIfEmpty(key)
  return given.has('CH') ? changed : added
}

function increment(context: CommandContext, key: string, entries: Entries, given: Flags): Reply {
  const [by, member] = entries[0] ?? [0, '']
  const set = openUnless(context, key, given.has('XX'))
  if (set === undefined) return null
  const old = set.score(member)
  const score = (old ?? 0) + by
  if (Number.isNaN(score)) {
    context.db.dropIfEmpty(key)
    throw new CommandError('ERR resulting score is not a number (NaN)')
  }
  if (!allows(given, old, score)) {
    context.db.dropIfEmpty(key)
    return null
  }
  set.set(member, score)
  context.db.touch()
  return formatFloat(score)
}

function openUnless(context: CommandContext, key: string, onlyPresent: boolean) {
  if (onlyPresent && context.db.read(key, 'zset') === undefined) return undefined
  return context.db.open(key, 'zset', () => new SortedSet())
}

function allows(given: Flags, old: number | undefined, score: number): boolean {
  if (old === undefined) return !given.has('XX')
  if (given.has('NX')) return false
  if (given.has('GT')) return score > old
  return !given.has('LT') || score < old
}
