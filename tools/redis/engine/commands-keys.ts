// Keys of any type: existence, expiry, names, scans.
import type { CommandContext, CommandTable } from './command.ts'
import { reads, writes } from './command.ts'
import type { Value } from './database.ts'
import { absoluteExpiry } from './expiry.ts'
import type { ExpiryUnit } from './expiry.ts'
import { matchesGlob } from './glob.ts'
import { parseCount } from './numbers.ts'
import { randomBelow } from './random.ts'
import { CommandError, OK, noSuchKey, syntaxError } from './reply.ts'
import type { Reply } from './reply.ts'
import { scanKeys } from './scan.ts'
import { SortedSet } from './sorted-set.ts'

const del = writes(-2, (context, keys) => keys.filter((key) => context.db.delete(key)).length)
const count = reads(-2, (context, keys) => {
  return keys.filter((key) => context.db.find(key) !== undefined).length
})

function expire(unit: ExpiryUnit, command: string) {
  return writes(-3, (context, args) => {
    const [key, amount, ...words] = args as [string, string, ...string[]]
    const allowed = expiryCondition(words)
    const at = absoluteExpiry(unit, parseCount(amount), context.db.now, command)
    const entry = context.db.find(key)
    if (entry === undefined || !allowed(entry.expiresAt, at)) return 0
    if (at <= context.db.now) {
      context.db.delete(key)
      context.record('DEL', key)
    } else {
      context.db.expireAt(key, at)
      context.record('PEXPIREAT', key, String(at))
    }
    return 1
  })
}

type ExpiryCondition = (old: number | null, at: number) => boolean

const conditions: Readonly<Record<string, ExpiryCondition>> = {
  NX: (old) => old === null,
  XX: (old) => old !== null,
  GT: (old, at) => old !== null && at > old,
  LT: (old, at) => old === null || at < old,
}

function expiryCondition(words: readonly string[]): ExpiryCondition {
  const names = new Set(words.map((word) => word.toUpperCase()))
  const chosen = [...names].map((name) => {
    const condition = Object.hasOwn(conditions, name) ? conditions[name] : undefined
    if (condition === undefined) throw new CommandError(`ERR Unsupported option ${name}`)
    return condition
  })
  if (names.has('NX') && names.size > 1) {
    throw new CommandError('ERR NX and XX, GT or LT options at the same time are not compatible')
  }
  if (names.has('GT') && names.has('LT')) {
    throw new CommandError('ERR GT and LT options at the same time are not compatible')
  }
  return (old, at) => chosen.every((condition) => condition(old, at))
}

/** -2 for no key, -1 for no expiry, else what `measure` makes of the absolute time. */
function lifetime(measure: (expiresAt: number, now: number) => number) {
  return reads(2, (context, [key = '']) => {
    const entry = context.db.find(key)
    if (entry === undefined) return -2
    return entry.expiresAt === null ? -1 : measure(entry.expiresAt, context.db.now)
  })
}

function rename(context: CommandContext, from: string, to: string): void {
  const entry = context.db.find(from)
  if (entry === undefined) throw noSuchKey()
  if (from === to) return
  context.db.delete(from)
  context.db.delete(to)
  context.db.put(to, entry.value, entry.expiresAt)
}

function copy(context: CommandContext, args: readonly string[]): Reply {
  const [from, to, ...words] = args as [string, string, ...string[]]
  let replace = false
  for (let at = 0; at < words.length; at++) {
    const word = (words[at] ?? '').toUpperCase()
    if (word === 'REPLACE') replace = true
    else if (word === 'DB' && words[at + 1] === '0') at++
    else if (word === 'DB') throw new CommandError('ERR DB index is out of range')
    else throw syntaxError()
  }
  if (from === to) throw new CommandError('ERR source and destination objects are the same')
  const entry = context.db.find(from)
  if (entry === undefined || (!replace && context.db.find(to) !== undefined)) return 0
  context.db.delete(to)
  context.db.put(to, clone(entry.value), entry.expiresAt)
  return 1
}

export function clone(value: Value): Value {
  switch (value.kind) {
    case 'string':
      return { ...value }
    case 'hash':
      return { kind: 'hash', data: new Map(value.data) }
    case 'list':
      return { kind: 'list', data: [...value.data] }
    case 'set':
      return { kind: 'set', data: new Set(value.data) }
    case 'zset': {
      const data = new SortedSet()
      for (const { member, score } of value.data.entries()) data.set(member, score)
      return { kind: 'zset', data }
    }
  }
}

function flush(context: CommandContext, args: readonly string[]): Reply {
  const word = args[0]?.toUpperCase()
  if (args.length > 1 || (word !== undefined && word !== 'ASYNC' && word !== 'SYNC')) {
    throw syntaxError()
  }
  context.db.clear()
  return OK
}

export const keyCommands: CommandTable = {
  DEL: del,
  UNLINK: del,
  EXISTS: count,
  TOUCH: count,
  TYPE: reads(2, (context, [key = '']) => ({
    simple: context.db.find(key)?.value.kind ?? 'none',
  })),
  EXPIRE: expire('EX', 'expire'),
  PEXPIRE: expire('PX', 'pexpire'),
  EXPIREAT: expire('EXAT', 'expireat'),
  PEXPIREAT: expire('PXAT', 'pexpireat'),
  TTL: lifetime((expiresAt, now) => Math.floor((expiresAt - now + 500) / 1000)),
  PTTL: lifetime((expiresAt, now) => expiresAt - now),
  EXPIRETIME: lifetime((expiresAt) => Math.floor((expiresAt + 500) / 1000)),
  PEXPIRETIME: lifetime((expiresAt) => expiresAt),
  PERSIST: writes(2, (context, [key = '']) => {
    const entry = context.db.find(key)
    if (entry === undefined || entry.expiresAt === null) return 0
    context.db.expireAt(key, null)
    return 1
  }),
  RENAME: writes(3, (context, [from = '', to = '']) => {
    rename(context, from, to)
    return OK
  }),
  RENAMENX: writes(3, (context, [from = '', to = '']) => {
    if (context.db.find(from) === undefined) throw noSuchKey()
    if (context.db.find(to) !== undefined) return 0
    rename(context, from, to)
    return 1
  }),
  COPY: writes(-3, copy),
  KEYS: reads(2, (context, [pattern = '']) =>
    context.db.keys().filter((key) => matchesGlob(pattern, key)),
  ),
  SCAN: reads(-2, scanKeys),
  RANDOMKEY: reads(1, (context) => {
    const keys = context.db.keys()
    return keys[randomBelow(keys.length)] ?? null
  }),
  DBSIZE: reads(1, (context) => context.db.size),
  FLUSHDB: writes(-1, flush),
  FLUSHALL: writes(-1, flush),
}
