// Sorted sets.
import type { CommandContext, CommandTable } from './command.ts'
import { reads, writes } from './command.ts'
import { formatFloat, parsePositiveCount } from './numbers.ts'
import { pickRandomly } from './random.ts'
import { syntaxError } from './reply.ts'
import type { Reply } from './reply.ts'
import { scanCollection } from './scan.ts'
import { indexBounds, memberBounds, scoreBounds } from './score-range.ts'
import type { Bounds } from './score-range.ts'
import { SortedSet } from './sorted-set.ts'
import { zaddCommand } from './zadd-command.ts'
import { rangeCommand, rangeStore, renderScored } from './zrange-command.ts'
import type { RangeForm } from './zrange-command.ts'
import { combineCommand, combineStore, intersectionSize } from './zset-algebra.ts'

const readSet = (context: CommandContext, key: string) => context.db.read(key, 'zset')

const range = (form: RangeForm | null) =>
  reads(-4, (context, args) => rangeCommand(context, args, form))

type MakeBounds = (min: string, max: string) => Bounds

const count = (bounds: MakeBounds) =>
  reads(4, (context, [key = '', min = '', max = '']) => {
    const within = bounds(min, max)
    const [from, to] = within(readSet(context, key) ?? new SortedSet())
    return Math.max(0, to - from)
  })

const removeRange = (bounds: MakeBounds) =>
  writes(4, (context, [key = '', min = '', max = '']) => {
    const within = bounds(min, max)
    const set = readSet(context, key)
    if (set === undefined) return 0
    const [from, to] = within(set)
    const doomed = to > from ? set.slice(from, to) : []
    return removeMembers(
      context,
      key,
      doomed.map(({ member }) => member),
    )
  })

function removeMembers(context: CommandContext, key: string, members: readonly string[]): number {
  const set = readSet(context, key)
  const removed = members.filter((member) => set?.delete(member) === true).length
  if (removed > 0) context.db.touch()
  context.db.dropIfEmpty(key)
  return removed
}

function rank(reversed: boolean) {
  return reads(3, (context, [key = '', member = '']) => {
    const set = readSet(context, key)
    const place = set?.rank(member) ?? null
    if (set === undefined || place === null) return null
    return reversed ? set.size - 1 - place : place
  })
}

function pop(highest: boolean) {
  return writes(-2, (context, args) => {
    const [key, countText, extra] = args as [string, string?, string?]
    if (extra !== undefined) throw syntaxError()
    const wanted = countText === undefined ? 1 : parsePositiveCount(countText)
    const set = readSet(context, key)
    if (set === undefined) return []
    const taken = highest
      ? set.slice(Math.max(0, set.size - wanted), set.size).toReversed()
      : set.slice(0, wanted)
    removeMembers(
      context,
      key,
      taken.map(({ member }) => member),
    )
    return renderScored(taken, true)
  })
}

function score(context: CommandContext, key: string, member: string): Reply {
  const found = readSet(context, key)?.score(member)
  return found === undefined ? null : formatFloat(found)
}

function scored(context: CommandContext, key: string): [string, string][] {
  const elements = readSet(context, key)?.entries() ?? []
  return elements.map(({ member, score: value }) => [member, formatFloat(value)])
}

export const sortedSetCommands: CommandTable = {
  ZADD: writes(-4, zaddCommand),
  ZINCRBY: writes(4, (context, [key = '', by = '', member = '']) =>
    zaddCommand(context, [key, 'INCR', by, member]),
  ),
  ZREM: writes(-3, (context, [key = '', ...members]) => removeMembers(context, key, members)),
  ZSCORE: reads(3, (context, [key = '', member = '']) => score(context, key, member)),
  ZMSCORE: reads(-3, (context, [key = '', ...members]) =>
    members.map((member) => score(context, key, member)),
  ),
  ZCARD: reads(2, (context, [key = '']) => readSet(context, key)?.size ?? 0),
  ZCOUNT: count(scoreBounds),
  ZLEXCOUNT: count(memberBounds),
  ZRANK: rank(false),
  ZREVRANK: rank(true),
  ZRANGE: range(null),
  ZREVRANGE: range({ by: 'RANK', reversed: true }),
  ZRANGEBYSCORE: range({ by: 'BYSCORE', reversed: false }),
  ZREVRANGEBYSCORE: range({ by: 'BYSCORE', reversed: true }),
  ZRANGEBYLEX: range({ by: 'BYLEX', reversed: false }),
  ZREVRANGEBYLEX: range({ by: 'BYLEX', reversed: true }),
  ZRANGESTORE: writes(-5, rangeStore),
  ZREMRANGEBYRANK: removeRange(indexBounds),
  ZREMRANGEBYSCORE: removeRange(scoreBounds),
  ZREMRANGEBYLEX: removeRange(memberBounds),
  ZPOPMIN: pop(false),
  ZPOPMAX: pop(true),
  ZRANDMEMBER: reads(-2, (context, [key = '', wanted, option]) =>
    pickRandomly(scored(context, key), { count: wanted, option, word: 'WITHSCORES' }),
  ),
  ZUNION: reads(-3, combineCommand('UNION')),
  ZINTER: reads(-3, combineCommand('INTER')),
  ZDIFF: reads(-3, combineCommand('DIFF')),
  ZUNIONSTORE: writes(-4, combineStore('UNION')),
  ZINTERSTORE: writes(-4, combineStore('INTER')),
  ZDIFFSTORE: writes(-4, combineStore('DIFF')),
  ZINTERCARD: reads(-3, intersectionSize),
  ZSCAN: reads(-3, (context, [key = '', ...options]) =>
    scanCollection(options, () => scored(context, key)),
  ),
}
