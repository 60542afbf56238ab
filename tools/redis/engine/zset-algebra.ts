// Unions, intersections and differences of sorted sets (and plain sets, whose members count 1).
import type { CommandContext } from './command.ts'
import { tryFloat } from './numbers.ts'
import { CommandError, syntaxError, wrongType } from './reply.ts'
import type { Reply } from './reply.ts'
import { SortedSet } from './sorted-set.ts'
import type { Scored } from './sorted-set.ts'
import { renderScored, storeScored } from './zrange-command.ts'

export type Operation = 'UNION' | 'INTER' | 'DIFF'

type Aggregate = (left: number, right: number) => number

const aggregates: Readonly<Record<string, Aggregate>> = {
  // Plus and minus infinity cancel out here, as in Redis.
  SUM: (left, right) => {
    const sum = left + right
    return Number.isNaN(sum) ? 0 : sum
  },
  MIN: (left, right) => Math.min(left, right),
  MAX: (left, right) => Math.max(left, right),
}

interface Options {
  weights: number[] | null
  aggregate: Aggregate
  withScores: boolean
}

export function combineCommand(operation: Operation) {
  return (context: CommandContext, args: readonly string[]): Reply => {
    const { keys, rest } = splitKeys(args, `z${operation.toLowerCase()}`)
    const inputs = keys.map((key) => readScores(context, key))
    const options = parseOptions(rest, keys.length, { operation, storing: false })
    return renderScored(combine(inputs, options, operation), options.withScores)
  }
}

export function combineStore(operation: Operation) {
  return (context: CommandContext, args: readonly string[]): Reply => {
    const [target = '', ...others] = args
    const { keys, rest } = splitKeys(others, `z${operation.toLowerCase()}store`)
    const inputs = keys.map((key) => readScores(context, key))
    const options = parseOptions(rest, keys.length, { operation, storing: true })
    const result = combine(inputs, options, operation)
    storeScored(context, target, result)
    return result.length
  }
}

export function intersectionSize(context: CommandContext, args: readonly string[]): Reply {
  const { keys, rest } = splitKeys(args, 'zintercard')
  const [word, limitText, extra] = rest
  if (word !== undefined && (word.toUpperCase() !== 'LIMIT' || limitText === undefined)) {
    throw syntaxError()
  }
  if (extra !== undefined) throw syntaxError()
  const limit = limitText === undefined ? 0 : Number(limitText)
  if (!Number.isSafeInteger(limit) || limit < 0)
    throw new CommandError("ERR LIMIT can't be negative")
  const inputs = keys.map((key) => readScores(context, key))
  const options: Options = { weights: null, aggregate: sum, withScores: false }
  const size = combine(inputs, options, 'INTER').length
  return limit === 0 ? size : Math.min(limit, size)
}

function splitKeys(args: readonly string[], command: string) {
  const count = /^-?\d+$/.test(args[0] ?? '') ? Number(args[0]) : null
  if (count === null) throw new CommandError('ERR value is not an integer or out of range')
  if (count < 1)
    throw new CommandError(`ERR at least 1 input key is needed for '${command}' command`)
  if (count > args.length - 1) throw syntaxError()
  return { keys: args.slice(1, 1 + count), rest: args.slice(1 + count) }
}

function parseOptions(
  words: readonly string[],
  keys: number,
  allowed: { readonly operation: Operation; readonly storing: boolean },
): Options {
  const options: Options = { weights: null, aggregate: sum, withScores: false }
  const weighted = allowed.operation !== 'DIFF'
  for (let at = 0; at < words.length; at++) {
    const word = (words[at] ?? '').toUpperCase()
    if (word === 'WITHSCORES' && !allowed.storing) options.withScores = true
    else if (word === 'AGGREGATE' && weighted) options.aggregate = toAggregate(words[++at])
    else if (word === 'WEIGHTS' && weighted && at + keys < words.length) {
      options.weights = words.slice(at + 1, at + 1 + keys).map(toWeight)
      at += keys
    } else throw syntaxError()
  }
  return options
}

const sum: Aggregate = (left, right) => aggregates['SUM']?.(left, right) ?? 0

function toAggregate(word: string | undefined): Aggregate {
  const name = word?.toUpperCase() ?? ''
  const aggregate = Object.hasOwn(aggregates, name) ? aggregates[name] : undefined
  if (aggregate === undefined) throw syntaxError()
  return aggregate
}

function toWeight(text: string): number {
  const weight = tryFloat(text)
  if (weight === null) throw new CommandError('ERR weight value is not a float')
  return weight
}

function combine(
  scores: readonly Map<string, number>[],
  options: Options,
  operation: Operation,
): Scored[] {
  const inputs = scores.map((input, at) => weighted(input, options.weights?.[at] ?? 1))
  const [first = new Map<string, number>(), ...others] = inputs
  const result = new Map(first)
  for (const other of others) merge(result, other, { operation, aggregate: options.aggregate })
  const sorted = new SortedSet()
  for (const [member, score] of result) sorted.set(member, score)
  return [...sorted.entries()]
}

function merge(
  result: Map<string, number>,
  other: ReadonlyMap<string, number>,
  how: { readonly operation: Operation; readonly aggregate: Aggregate },
): void {
  if (how.operation === 'UNION') {
    for (const [member, score] of other) {
      const old = result.get(member)
      result.set(member, old === undefined ? score : how.aggregate(old, score))
    }
    return
  }
  for (const [member, old] of result) {
    const score = other.get(member)
    const stays = (score === undefined) === (how.operation === 'DIFF')
    if (!stays) result.delete(member)
    else if (score !== undefined) result.set(member, how.aggregate(old, score))
  }
}

function readScores(context: CommandContext, key: string): Map<string, number> {
  const value = context.db.find(key)?.value
  if (value === undefined) return new Map()
  if (value.kind === 'set') return new Map([...value.data].map((member) => [member, 1]))
  if (value.kind !== 'zset') throw wrongType()
  return new Map(value.data.entries().map(({ member, score }) => [member, score]))
}

function weighted(scores: Map<string, number>, weight: number): Map<string, number> {
  if (weight === 1) return scores
  for (const [member, score] of scores) {
    const product = score * weight
    scores.set(member, Number.isNaN(product) ? 0 : product)
  }
  return scores
}
