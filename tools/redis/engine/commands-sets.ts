// Sets.
import type { CommandContext, CommandTable } from './command.ts'
import { reads, writes } from './command.ts'
import { parsePositiveCount, tryInteger } from './numbers.ts'
import { pickRandomly, sample } from './random.ts'
import { CommandError, syntaxError } from './reply.ts'
import type { Reply } from './reply.ts'
import { scanCollection } from './scan.ts'

const readSet = (context: CommandContext, key: string) => context.db.read(key, 'set')

function add(context: CommandContext, args: readonly string[]): Reply {
  const [key, ...members] = args as [string, ...string[]]
  const set = context.db.open(key, 'set', () => new Set<string>())
  const before = set.size
  for (const member of members) set.add(member)
  if (set.size > before) context.db.touch()
  return set.size - before
}

function remove(context: CommandContext, args: readonly string[]): Reply {
  const [key, ...members] = args as [string, ...string[]]
  const set = readSet(context, key)
  if (set === undefined) return 0
  const removed = members.filter((member) => set.delete(member)).length
  if (removed > 0) context.db.touch()
  context.db.dropIfEmpty(key)
  return removed
}

function pop(context: CommandContext, args: readonly string[]): Reply {
  const [key, countText, extra] = args as [string, string?, string?]
  if (extra !== undefined) throw syntaxError()
  const count = countText === undefined ? 1 : parsePositiveCount(countText)
  const set = readSet(context, key)
  if (set === undefined) return countText === undefined ? null : []
  const taken = sample([...set], count)
  if (taken.length > 0) {
    for (const member of taken) set.delete(member)
    context.db.touch()
    context.record('SREM', key, ...taken)
  }
  context.db.dropIfEmpty(key)
  return countText === undefined ? (taken[0] ?? null) : taken
}

function random(context: CommandContext, args: readonly string[]): Reply {
  const [key, count, extra] = args as [string, string?, string?]
  if (extra !== undefined) throw syntaxError()
  const members = [...(readSet(context, key) ?? [])].map((member) => [member, ''] as const)
  return pickRandomly(members, { count })
}

function move(context: CommandContext, args: readonly string[]): Reply {
  const [from, to, member] = args as [string, string, string]
  const source = readSet(context, from)
  if (source === undefined) return 0
  readSet(context, to)
  if (!source.has(member)) return 0
  if (from === to) return 1
  source.delete(member)
  context.db.open(to, 'set', () => new Set<string>()).add(member)
  context.db.touch()
  context.db.dropIfEmpty(from)
  return 1
}

type Combine = (sets: readonly ReadonlySet<string>[]) => Set<string>

const combinations = {
  SINTER: ([first, ...others]) =>
    new Set([...(first ?? [])].filter((member) => others.every((other) => other.has(member)))),
  SUNION: (sets) => new Set(sets.flatMap((set) => [...set])),
  SDIFF: ([first, ...others]) =>
    new Set([...(first ?? [])].filter((member) => !others.some((other) => other.has(member)))),
} satisfies Record<string, Combine>

function combine(context: CommandContext, keys: readonly string[], how: Combine): Set<string> {
  return how(keys.map((key) => readSet(context, key) ?? new Set<string>()))
}

function store(how: Combine) {
  return writes(-3, (context, args) => {
    const [target, ...keys] = args as [string, ...string[]]
    const members = combine(context, keys, how)
    context.db.delete(target)
    if (members.size > 0) context.db.put(target, { kind: 'set', data: members })
    return members.size
  })
}

function intersectionSize(context: CommandContext, args: readonly string[]): Reply {
  const count = Number(/^\d+$/.exec(args[0] ?? '')?.[0] ?? 0)
  if (count < 1) throw new CommandError('ERR numkeys should be greater than 0')
  if (count > args.length - 1) {
    throw new CommandError("ERR Number of keys can't be greater than number of args")
  }
  const [word, limitText, extra] = args.slice(1 + count)
  if (extra !== undefined || (word !== undefined && word.toUpperCase() !== 'LIMIT')) {
    throw syntaxError()
  }
  if (word !== undefined && limitText === undefined) throw syntaxError()
  const limit = Number(tryInteger(limitText ?? '0') ?? -1)
  if (limit < 0) throw new CommandError("ERR LIMIT can't be negative")
  const { size } = combine(context, args.slice(1, 1 + count), combinations.SINTER)
  return limit === 0 ? size : Math.min(size, limit)
}

export const setCommands: CommandTable = {
  SADD: writes(-3, add),
  SREM: writes(-3, remove),
  SMEMBERS: reads(2, (context, [key = '']) => [...(readSet(context, key) ?? [])]),
  SISMEMBER: reads(3, (context, [key = '', member = '']) =>
    readSet(context, key)?.has(member) === true ? 1 : 0,
  ),
  SMISMEMBER: reads(-3, (context, [key = '', ...members]) => {
    const set = readSet(context, key)
    return members.map((member) => (set?.has(member) === true ? 1 : 0))
  }),
  SCARD: reads(2, (context, [key = '']) => readSet(context, key)?.size ?? 0),
  SPOP: writes(-2, pop),
  SRANDMEMBER: reads(-2, random),
  SMOVE: writes(4, move),
  SINTER: reads(-2, (context, keys) => [...combine(context, keys, combinations.SINTER)]),
  SUNION: reads(-2, (context, keys) => [...combine(context, keys, combinations.SUNION)]),
  SDIFF: reads(-2, (context, keys) => [...combine(context, keys, combinations.SDIFF)]),
  SINTERSTORE: store(combinations.SINTER),
  SUNIONSTORE: store(combinations.SUNION),
  SDIFFSTORE: store(combinations.SDIFF),
  SINTERCARD: reads(-3, intersectionSize),
  SSCAN: reads(-3, (context, [key = '', ...options]) =>
    scanCollection(options, () =>
      [...(readSet(context, key) ?? [])].map((member) => [member] as const),
    ),
  ),
}
