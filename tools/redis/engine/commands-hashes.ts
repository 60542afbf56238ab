// Hashes.
import type { CommandContext, CommandTable } from './command.ts'
import { reads, writes } from './command.ts'
import { addDecimals, addIntegers, parseInteger, tryFloat, tryInteger } from './numbers.ts'
import { pickRandomly } from './random.ts'
import { CommandError, OK, notAFloat, wrongArity } from './reply.ts'
import type { Reply } from './reply.ts'
import { scanCollection } from './scan.ts'

const readHash = (context: CommandContext, key: string) => context.db.read(key, 'hash')
const openHash = (context: CommandContext, key: string) =>
  context.db.open(key, 'hash', () => new Map<string, string>())

function setFields(context: CommandContext, args: readonly string[], command: string): number {
  if (args.length % 2 === 0) throw wrongArity(command)
  const hash = openHash(context, args[0] ?? '')
  const before = hash.size
  for (let at = 1; at < args.length; at += 2) hash.set(args[at] ?? '', args[at + 1] ?? '')
  context.db.touch()
  return hash.size - before
}

function increment(context: CommandContext, args: readonly string[]): Reply {
  const [key, field, by] = args as [string, string, string]
  const amount = parseInteger(by)
  const old = tryInteger(readHash(context, key)?.get(field) ?? '0')
  if (old === null) throw new CommandError('ERR hash value is not an integer')
  const sum = addIntegers(old, amount)
  openHash(context, key).set(field, String(sum))
  context.db.touch()
  return sum
}

function incrementByFloat(context: CommandContext, args: readonly string[]): Reply {
  const [key, field, by] = args as [string, string, string]
  if (tryFloat(by) === null) throw notAFloat()
  const old = readHash(context, key)?.get(field) ?? '0'
  if (tryFloat(old) === null) throw new CommandError('ERR hash value is not a float')
  const sum = addDecimals(old, by)
  openHash(context, key).set(field, sum)
  context.db.touch()
  context.record('HSET', key, field, sum)
  return sum
}

function deleteFields(context: CommandContext, args: readonly string[]): Reply {
  const [key, ...fields] = args as [string, ...string[]]
  const hash = readHash(context, key)
  if (hash === undefined) return 0
  const removed = fields.filter((field) => hash.delete(field)).length
  if (removed > 0) context.db.touch()
  context.db.dropIfEmpty(key)
  return removed
}

function randomFields(context: CommandContext, args: readonly string[]): Reply {
  const [key, count, option] = args as [string, string?, string?]
  const hash = readHash(context, key)
  return pickRandomly([...(hash?.entries() ?? [])], { count, option, word: 'WITHVALUES' })
}

export const hashCommands: CommandTable = {
  HSET: writes(-4, (context, args) => setFields(context, args, 'hset')),
  HMSET: writes(-4, (context, args) => {
    setFields(context, args, 'hmset')
    return OK
  }),
  HSETNX: writes(4, (context, [key = '', field = '', text = '']) => {
    const hash = openHash(context, key)
    if (hash.has(field)) return 0
    hash.set(field, text)
    context.db.touch()
    return 1
  }),
  HGET: reads(3, (context, [key = '', field = '']) => readHash(context, key)?.get(field) ?? null),
  HMGET: reads(-3, (context, [key = '', ...fields]) => {
    const hash = readHash(context, key)
    return fields.map((field) => hash?.get(field) ?? null)
  }),
  HGETALL: reads(2, (context, [key = '']) => [...(readHash(context, key)?.entries() ?? [])].flat()),
  HKEYS: reads(2, (context, [key = '']) => [...(readHash(context, key)?.keys() ?? [])]),
  HVALS: reads(2, (context, [key = '']) => [...(readHash(context, key)?.values() ?? [])]),
  HLEN: reads(2, (context, [key = '']) => readHash(context, key)?.size ?? 0),
  HSTRLEN: reads(
    3,
    (context, [key = '', field = '']) => readHash(context, key)?.get(field)?.length ?? 0,
  ),
  HEXISTS: reads(3, (context, [key = '', field = '']) =>
    readHash(context, key)?.has(field) === true ? 1 : 0,
  ),
  HDEL: writes(-3, deleteFields),
  HINCRBY: writes(4, increment),
  HINCRBYFLOAT: writes(4, incrementByFloat),
  HRANDFIELD: reads(-2, randomFields),
  HSCAN: reads(-3, (context, [key = '', ...options]) =>
    scanCollection(options, () => [...(readHash(context, key)?.entries() ?? [])]),
  ),
}
