// Random members, for SRANDMEMBER, HRANDFIELD and ZRANDMEMBER: none, one, some different, or some with repeats.
import { parseCount } from './numbers.ts'
import { CommandError, syntaxError } from './reply.ts'
import type { Reply } from './reply.ts'

export interface RandomRequest {
  readonly count: string | undefined
  readonly option?: string | undefined
  /** The word that asks for the second half of each pair. */
  readonly word?: string
}

/** Repeats are made one by one in memory, so their number has an end. */
const mostRepeats = 1_000_000

export const randomBelow = (limit: number): number => Math.floor(Math.random() * limit)

/** `members` are [name, second half] pairs. */
export function pickRandomly(
  members: readonly (readonly [string, string])[],
  request: RandomRequest,
): Reply {
  const { count, option, word } = request
  if (count === undefined) return members[randomBelow(members.length)]?.[0] ?? null
  const wanted = parseCount(count)
  if (option !== undefined && option.toUpperCase() !== word) throw syntaxError()
  if (wanted < -mostRepeats) throw new CommandError('ERR value is out of range')
  const chosen = wanted < 0 ? withRepeats(members, -wanted) : sample(members, wanted)
  return option === undefined ? chosen.map(([name]) => name) : chosen.flat()
}

function withRepeats<T>(members: readonly T[], count: number): T[] {
  if (members.length === 0) return []
  return Array.from({ length: count }, () => members[randomBelow(members.length)] as T)
}

/** `count` different members, by the first steps of a Fisher-Yates shuffle. */
export function sample<T>(members: readonly T[], count: number): T[] {
  const pool = [...members]
  const size = Math.min(count, pool.length)
  for (let at = 0; at < size; at++) {
    const other = at + randomBelow(pool.length - at)
    ;[pool[at], pool[other]] = [pool[other] as T, pool[at] as T]
  }
  return pool.slice(0, size)
}
