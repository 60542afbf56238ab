// Strings and counters.
import type { CommandContext, CommandTable } from './command.ts'
import { reads, writes } from './command.ts'
import { isExpiryUnit, positiveExpiry } from './expiry.ts'
import type { ExpiryUnit } from './expiry.ts'
import { addDecimals, addIntegers, negate, parseCount, parseInteger } from './numbers.ts'
import type { Integer } from './numbers.ts'
import { CommandError, OK, syntaxError, wrongArity } from './reply.ts'
import type { Reply } from './reply.ts'
import { setCommand } from './set-command.ts'

/** Redis allows 512 MB; in this process one command could then take all memory. */
const largestString = 64 * 1024 * 1024

const readText = (context: CommandContext, key: string) => context.db.read(key, 'string')

/** Replaces the text and leaves the expiry as it is. */
function rewrite(context: CommandContext, key: string, text: string): void {
  const expiresAt = context.db.find(key)?.expiresAt ?? null
  context.db.put(key, { kind: 'string', data: text }, expiresAt)
}

function increment(context: CommandContext, key: string, by: Integer): Reply {
  const sum = addIntegers(parseInteger(readText(context, key) ?? '0'), by)
  rewrite(context, key, String(sum))
  return sum
}

function incrementByFloat(context: CommandContext, args: readonly string[]): Reply {
  const [key, by] = args as [string, string]
  const sum = addDecimals(readText(context, key) ?? '0', by)
  rewrite(context, key, sum)
  context.record('SET', key, sum, 'KEEPTTL')
  return sum
}

function setExpiring(unit: 'EX' | 'PX', command: string) {
  return writes(4, (context, args) => {
    const [key, amount, text] = args as [string, string, string]
    const expiresAt = positiveExpiry(unit, amount, context.db.now, command)
    context.db.put(key, { kind: 'string', data: text }, expiresAt)
    context.record('SET', key, text, 'PXAT', String(expiresAt))
    return OK
  })
}

function getAndExpire(context: CommandContext, args: readonly string[]): Reply {
  const [key, option, amount] = args as [string, string?, string?]
  const word = option?.toUpperCase()
  const persists = word === 'PERSIST' && args.length === 2
  const expires = word !== undefined && isExpiryUnit(word) && args.length === 3
  if (word !== undefined && !persists && !expires) throw syntaxError()
  const text = readText(context, key)
  if (text === undefined || word === undefined) return text ?? null
  if (persists) {
    if ((context.db.find(key)?.expiresAt ?? null) !== null) {
      context.db.expireAt(key, null)
      context.record('PERSIST', key)
    }
    return text
  }
  const expiresAt = positiveExpiry(word as ExpiryUnit, amount ?? '', context.db.now, 'getex')
  if (expiresAt <= context.db.now) {
    context.db.delete(key)
    context.record('DEL', key)
  } else {
    context.db.expireAt(key, expiresAt)
    context.record('PEXPIREAT', key, String(expiresAt))
  }
  return text
}

function range(context: CommandContext, args: readonly string[]): Reply {
  const [key, from, to] = args as [string, string, string]
  let start = parseCount(from)
  let end = parseCount(to)
  const text = readText(context, key) ?? ''
  if (start < 0 && end < 0 && start > end) return ''
  if (start < 0) start = Math.max(0, text.length + start)
  if (end < 0) end = Math.max(0, text.length + end)
  return text.slice(start, end + 1)
}

function setRange(context: CommandContext, args: readonly string[]): Reply {
  const [key, offsetText, patch] = args as [string, string, string]
  const offset = parseCount(offsetText)
  if (offset < 0) throw new CommandError('ERR offset is out of range')
  const text = readText(context, key) ?? ''
  if (patch === '') return text.length
  if (offset + patch.length > largestString) throw tooLong()
  const before = text.slice(0, offset).padEnd(offset, '\0')
  const after = text.slice(offset + patch.length)
  rewrite(context, key, before + patch + after)
  return before.length + patch.length + after.length
}

function append(context: CommandContext, args: readonly string[]): Reply {
  const [key, more] = args as [string, string]
  const text = readText(context, key) ?? ''
  if (text.length + more.length > largestString) throw tooLong()
  rewrite(context, key, text + more)
  return text.length + more.length
}

const tooLong = () =>
  new CommandError('ERR string exceeds maximum allowed size (proto-max-bulk-len)')

function pairs(args: readonly string[], command: string): [string, string][] {
  if (args.length % 2 !== 0) throw wrongArity(command)
  const found: [string, string][] = []
  for (let at = 0; at < args.length; at += 2) found.push([args[at] ?? '', args[at + 1] ?? ''])
  return found
}

function setMany(context: CommandContext, entries: readonly [string, string][]): void {
  for (const [key, text] of entries) context.db.put(key, { kind: 'string', data: text })
}

function peek(context: CommandContext, key: string): Reply {
  const value = context.db.find(key)?.value
  return value?.kind === 'string' ? value.data : null
}

export const stringCommands: CommandTable = {
  GET: reads(2, (context, [key = '']) => readText(context, key) ?? null),
  SET: writes(-3, setCommand),
  SETNX: writes(3, (context, [key = '', text = '']) => {
    if (context.db.find(key) !== undefined) return 0
    context.db.put(key, { kind: 'string', data: text })
    return 1
  }),
  SETEX: setExpiring('EX', 'setex'),
  PSETEX: setExpiring('PX', 'psetex'),
  GETSET: writes(3, (context, [key = '', text = '']) => {
    const old = readText(context, key) ?? null
    context.db.put(key, { kind: 'string', data: text })
    return old
  }),
  GETDEL: writes(2, (context, [key = '']) => {
    const old = readText(context, key) ?? null
    context.db.delete(key)
    return old
  }),
  GETEX: writes(-2, getAndExpire),
  MGET: reads(-2, (context, keys) => keys.map((key) => peek(context, key))),
  MSET: writes(-3, (context, args) => {
    setMany(context, pairs(args, 'mset'))
    return OK
  }),
  MSETNX: writes(-3, (context, args) => {
    const entries = pairs(args, 'msetnx')
    if (entries.some(([key]) => context.db.find(key) !== undefined)) return 0
    setMany(context, entries)
    return 1
  }),
  APPEND: writes(3, append),
  STRLEN: reads(2, (context, [key = '']) => readText(context, key)?.length ?? 0),
  GETRANGE: reads(4, range),
  SUBSTR: reads(4, range),
  SETRANGE: writes(4, setRange),
  INCR: writes(2, (context, [key = '']) => increment(context, key, 1)),
  DECR: writes(2, (context, [key = '']) => increment(context, key, -1)),
  INCRBY: writes(3, (context, [key = '', by = '']) => increment(context, key, parseInteger(by))),
  DECRBY: writes(3, (context, [key = '', by = '']) =>
    increment(context, key, negate(parseInteger(by))),
  ),
  INCRBYFLOAT: writes(3, incrementByFloat),
}
