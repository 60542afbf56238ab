// ZRANGE with all its options, its older spellings, and ZRANGESTORE.
import type { CommandContext } from './command.ts'
import { formatFloat, parseCount } from './numbers.ts'
import { CommandError, syntaxError } from './reply.ts'
import type { Reply } from './reply.ts'
import { indexBounds, memberBounds, scoreBounds } from './score-range.ts'
import type { Bounds } from './score-range.ts'
import { SortedSet } from './sorted-set.ts'
import type { Scored } from './sorted-set.ts'

export interface RangeRequest {
  by: 'RANK' | 'BYSCORE' | 'BYLEX'
  reversed: boolean
  withScores: boolean
  limit: { readonly offset: number; readonly count: number } | null
}

export type RangeForm = Partial<Pick<RangeRequest, 'by' | 'reversed'>>

/** The options after start and stop. A form of its own (ZREVRANGE, ZRANGEBYSCORE, …) fixes kind and direction. */
function parseRange(words: readonly string[], form: RangeForm | null): RangeRequest {
  const request: RangeRequest = {
    by: 'RANK',
    reversed: false,
    withScores: false,
    limit: null,
    ...form,
  }
  for (let at = 0; at < words.length; at++) {
    const word = (words[at] ?? '').toUpperCase()
    if (word === 'WITHSCORES') request.withScores = true
    else if (word === 'LIMIT' && at + 2 < words.length) {
      request.limit = {
        offset: parseCount(words[++at] ?? ''),
        count: parseCount(words[++at] ?? ''),
      }
    } else if (form === null && word === 'REV') request.reversed = true
    else if (form === null && (word === 'BYSCORE' || word === 'BYLEX')) request.by = word
    else throw syntaxError()
  }
  if (request.limit !== null && request.limit.count !== -1 && request.by === 'RANK') {
    throw new CommandError(
      'ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX',
    )
  }
  if (request.withScores && request.by === 'BYLEX') {
    throw new CommandError('ERR syntax error, WITHSCORES not supported in combination with BYLEX')
  }
  return request
}

function selectRange(set: SortedSet, bounds: Bounds, request: RangeRequest): Scored[] {
  const [from, to] = bounds(set)
  const chosen = to > from ? set.slice(from, to) : []
  if (request.reversed) chosen.reverse()
  if (request.limit === null || request.by === 'RANK') return chosen
  const { offset, count } = request.limit
  if (offset < 0) return []
  return count < 0 ? chosen.slice(offset) : chosen.slice(offset, offset + count)
}

/** Reversed, start and stop change places, and ranks count from the far end. */
function boundsOf(start: string, stop: string, { by, reversed }: RangeRequest): Bounds {
  const [low, high] = reversed ? [stop, start] : [start, stop]
  if (by === 'BYSCORE') return scoreBounds(low, high)
  if (by === 'BYLEX') return memberBounds(low, high)
  const bounds = indexBounds(start, stop)
  if (!reversed) return bounds
  return (set) => {
    const [from, to] = bounds(set)
    return [set.size - to, set.size - from]
  }
}

export function rangeCommand(
  context: CommandContext,
  args: readonly string[],
  form: RangeForm | null,
): Reply {
  const [key, start, stop, ...words] = args as [string, string, string, ...string[]]
  const request = parseRange(words, form)
  const bounds = boundsOf(start, stop, request)
  const set = context.db.read(key, 'zset') ?? new SortedSet()
  return renderScored(selectRange(set, bounds, request), request.withScores)
}

export function rangeStore(context: CommandContext, args: readonly string[]): Reply {
  const [target, key, start, stop, ...words] = args as [string, string, string, string]
  const request = parseRange(words, null)
  if (request.withScores) throw syntaxError()
  const bounds = boundsOf(start, stop, request)
  const source = context.db.read(key, 'zset') ?? new SortedSet()
  const chosen = selectRange(source, bounds, request)
  storeScored(context, target, chosen)
  return chosen.length
}

export function storeScored(
  context: CommandContext,
  target: string,
  scored: readonly Scored[],
): void {
  context.db.delete(target)
  if (scored.length === 0) return
  const data = new SortedSet()
  for (const { member, score } of scored) data.set(member, score)
  context.db.put(target, { kind: 'zset', data })
}

export function renderScored(scored: readonly Scored[], withScores: boolean): string[] {
  if (!withScores) return scored.map(({ member }) => member)
  return scored.flatMap(({ member, score }) => [member, formatFloat(score)])
}
