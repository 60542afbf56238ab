// The three ways to name a stretch of a sorted set: by rank, by score, by member. Each becomes two ranks.
import { parseCount, tryFloat } from './numbers.ts'
import { CommandError } from './reply.ts'
import type { SortedSet } from './sorted-set.ts'

/** Ranks from, and up to but without, the second; empty when the second is not above the first. */
export type RankRange = readonly [number, number]

export type Bounds = (set: SortedSet) => RankRange

/** `from` and `to` included, negative ones counted from the end. */
export function indexBounds(from: string, to: string): Bounds {
  const start = parseCount(from)
  const end = parseCount(to)
  return ({ size }) => {
    const place = (index: number) => (index < 0 ? index + size : index)
    return [Math.max(0, place(start)), Math.min(size - 1, place(end)) + 1]
  }
}

/** `min` and `max` as in ZRANGEBYSCORE: a number, or one after `(` that is left out itself. */
export function scoreBounds(min: string, max: string): Bounds {
  const low = scoreBound(min)
  const high = scoreBound(max)
  return (set) => [
    set.firstRank(({ score }) => (low.open ? score > low.score : score >= low.score)),
    set.firstRank(({ score }) => (high.open ? score >= high.score : score > high.score)),
  ]
}

function scoreBound(text: string): { readonly score: number; readonly open: boolean } {
  const open = text.startsWith('(')
  const score = tryFloat(open ? text.slice(1) : text)
  if (score === null) throw new CommandError('ERR min or max is not a float')
  return { score, open }
}

/** `min` and `max` as in ZRANGEBYLEX: `[member`, `(member`, `-` or `+`. */
export function memberBounds(min: string, max: string): Bounds {
  const low = memberBound(min)
  const high = memberBound(max)
  return (set) => [
    set.firstRank(({ member }) => low.isBelow(member)),
    set.firstRank(({ member }) => high.isAbove(member)),
  ]
}

interface MemberBound {
  /** As lower bound: the member lies within. */
  isBelow(member: string): boolean
  /** As upper bound: the member lies beyond. */
  isAbove(member: string): boolean
}

function memberBound(text: string): MemberBound {
  if (text === '-') return { isBelow: () => true, isAbove: () => true }
  if (text === '+') return { isBelow: () => false, isAbove: () => false }
  const bound = text.slice(1)
  if (text.startsWith('[')) {
    return { isBelow: (member) => member >= bound, isAbove: (member) => member > bound }
  }
  if (text.startsWith('(')) {
    return { isBelow: (member) => member > bound, isAbove: (member) => member >= bound }
  }
  throw new CommandError('ERR min or max not valid string range item')
}
