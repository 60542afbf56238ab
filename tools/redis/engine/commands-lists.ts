// Lists.
import type { CommandContext, CommandTable } from './command.ts'
import { reads, writes } from './command.ts'
import { findPositions } from './list-position.ts'
import { parseCount, parsePositiveCount } from './numbers.ts'
import { CommandError, OK, noSuchKey, syntaxError } from './reply.ts'
import type { Reply } from './reply.ts'

export type End = 'LEFT' | 'RIGHT'

const readList = (context: CommandContext, key: string) => context.db.read(key, 'list')

function push(end: End, onlyPresent: boolean) {
  return writes(-3, (context, args) => {
    const [key, ...items] = args as [string, ...string[]]
    if (onlyPresent && readList(context, key) === undefined) return 0
    const list = context.db.open(key, 'list', () => [])
    for (const item of items) pushAt(list, end, item)
    context.db.touch()
    return list.length
  })
}

function pushAt(list: string[], end: End, item: string): void {
  if (end === 'LEFT') list.unshift(item)
  else list.push(item)
}

/** Takes up to `count` items off one end, the outermost first. */
function take(list: string[], end: End, count: number): string[] {
  if (end === 'LEFT') return list.splice(0, count)
  return list.splice(Math.max(0, list.length - count)).toReversed()
}

function pop(end: End, command: string) {
  return writes(-2, (context, args) => {
    const [key, countText, extra] = args as [string, string?, string?]
    if (extra !== undefined) {
      throw new CommandError(`ERR wrong number of arguments for '${command}' command`)
    }
    const count = countText === undefined ? 1 : parsePositiveCount(countText)
    const list = readList(context, key)
    if (list === undefined) return null
    if (count === 0) return []
    const taken = take(list, end, count)
    context.db.touch()
    context.db.dropIfEmpty(key)
    return countText === undefined ? (taken[0] ?? null) : taken
  })
}

interface Stretch {
  readonly list: string[]
  readonly start: number
  /** Included; lies before start when nothing is meant. */
  readonly end: number
}

function stretchOf(context: CommandContext, args: readonly string[]): Stretch {
  const [key, fromText, toText] = args as [string, string, string]
  const from = parseCount(fromText)
  const to = parseCount(toText)
  const list = readList(context, key) ?? []
  const place = (index: number) => (index < 0 ? index + list.length : index)
  return { list, start: Math.max(0, place(from)), end: Math.min(list.length - 1, place(to)) }
}

function range(context: CommandContext, args: readonly string[]): Reply {
  const { list, start, end } = stretchOf(context, args)
  return start > end ? [] : list.slice(start, end + 1)
}

function trim(context: CommandContext, args: readonly string[]): Reply {
  const { list, start, end } = stretchOf(context, args)
  if (list.length === 0) return OK
  list.splice(Math.max(start, end + 1))
  list.splice(0, start)
  context.db.touch()
  context.db.dropIfEmpty(args[0] ?? '')
  return OK
}

function setItem(context: CommandContext, args: readonly string[]): Reply {
  const [key, indexText, item] = args as [string, string, string]
  const list = readList(context, key)
  if (list === undefined) throw noSuchKey()
  const index = parseCount(indexText)
  const at = index < 0 ? index + list.length : index
  if (at < 0 || at >= list.length) throw new CommandError('ERR index out of range')
  list[at] = item
  context.db.touch()
  return OK
}

function remove(context: CommandContext, args: readonly string[]): Reply {
  const [key, countText, item] = args as [string, string, string]
  const count = parseCount(countText)
  const list = readList(context, key)
  if (list === undefined) return 0
  const places = findPositions(list, item, { backwards: count < 0, most: Math.abs(count) })
  if (places.length === 0) return 0
  const doomed = new Set(places)
  let kept = 0
  for (const [at, present] of list.entries()) if (!doomed.has(at)) list[kept++] = present
  list.length = kept
  context.db.touch()
  context.db.dropIfEmpty(key)
  return places.length
}

function insert(context: CommandContext, args: readonly string[]): Reply {
  const [key, where, pivot, item] = args as [string, string, string, string]
  const side = where.toUpperCase()
  if (side !== 'BEFORE' && side !== 'AFTER') throw syntaxError()
  const list = readList(context, key)
  if (list === undefined) return 0
  const at = list.indexOf(pivot)
  if (at < 0) return -1
  list.splice(side === 'BEFORE' ? at : at + 1, 0, item)
  context.db.touch()
  return list.length
}

function position(context: CommandContext, args: readonly string[]): Reply {
  const [key, item, ...words] = args as [string, string, ...string[]]
  const options = new Map<string, number>()
  for (let at = 0; at < words.length; at += 2) {
    const word = (words[at] ?? '').toUpperCase()
    const amount = words[at + 1]
    if (!['RANK', 'COUNT', 'MAXLEN'].includes(word) || amount === undefined) throw syntaxError()
    options.set(word, parseCount(amount))
  }
  const rank = options.get('RANK') ?? 1
  const count = options.get('COUNT')
  const within = options.get('MAXLEN') ?? 0
  if (rank === 0) {
    throw new CommandError(
      "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
    )
  }
  if (count !== undefined && count < 0) throw new CommandError("ERR COUNT can't be negative")
  if (within < 0) throw new CommandError("ERR MAXLEN can't be negative")
  const places = findPositions(readList(context, key) ?? [], item, {
    backwards: rank < 0,
    skip: Math.abs(rank) - 1,
    most: count ?? 1,
    within,
  })
  return count === undefined ? (places[0] ?? null) : places
}

interface Move {
  readonly from: string
  readonly to: string
  readonly take: End
  readonly put: End
}

function move(context: CommandContext, wanted: Move): Reply {
  const source = readList(context, wanted.from)
  if (source === undefined) return null
  readList(context, wanted.to)
  const [item] = take(source, wanted.take, 1)
  if (item === undefined) return null
  pushAt(
    context.db.open(wanted.to, 'list', () => []),
    wanted.put,
    item,
  )
  context.db.touch()
  context.db.dropIfEmpty(wanted.from)
  return item
}

function toEnd(word: string): End {
  const end = word.toUpperCase()
  if (end !== 'LEFT' && end !== 'RIGHT') throw syntaxError()
  return end
}

function popFromFirst(context: CommandContext, args: readonly string[]): Reply {
  const keyCount = Number(/^\d+$/.exec(args[0] ?? '')?.[0] ?? 0)
  if (keyCount < 1) throw new CommandError('ERR numkeys should be greater than 0')
  const keys = args.slice(1, 1 + keyCount)
  const [where, word, countText, extra] = args.slice(1 + keyCount)
  if (where === undefined || extra !== undefined) throw syntaxError()
  const end = toEnd(where)
  if (word !== undefined && (word.toUpperCase() !== 'COUNT' || countText === undefined)) {
    throw syntaxError()
  }
  const count = countText === undefined ? 1 : parseCount(countText)
  if (count < 1) throw new CommandError('ERR count should be greater than 0')
  for (const key of keys) {
    const list = readList(context, key)
    if (list === undefined) continue
    const items = take(list, end, count)
    context.db.touch()
    context.db.dropIfEmpty(key)
    return [key, items]
  }
  return null
}

export const listCommands: CommandTable = {
  LPUSH: push('LEFT', false),
  RPUSH: push('RIGHT', false),
  LPUSHX: push('LEFT', true),
  RPUSHX: push('RIGHT', true),
  LPOP: pop('LEFT', 'lpop'),
  RPOP: pop('RIGHT', 'rpop'),
  LLEN: reads(2, (context, [key = '']) => readList(context, key)?.length ?? 0),
  LRANGE: reads(4, range),
  LTRIM: writes(4, trim),
  LINDEX: reads(3, (context, [key = '', index = '']) => {
    const list = readList(context, key)
    if (list === undefined) return null
    return list.at(parseCount(index)) ?? null
  }),
  LSET: writes(4, setItem),
  LREM: writes(4, remove),
  LINSERT: writes(5, insert),
  LPOS: reads(-3, position),
  LMPOP: writes(-4, popFromFirst),
  LMOVE: writes(5, (context, [from = '', to = '', source = '', target = '']) =>
    move(context, { from, to, take: toEnd(source), put: toEnd(target) }),
  ),
  RPOPLPUSH: writes(3, (context, [from = '', to = '']) =>
    move(context, { from, to, take: 'RIGHT', put: 'LEFT' }),
  ),
}
