// How many calls at once: additive increase, multiplicative decrease.
//
//   a burst of 429s:  limit = limit * 0.7, once (only a call granted after the last cut may cut again)
//   growing too fast: limit = what is in use, from where it climbs as ever; at its limit it is cut like another
//   a served call:    limit = limit + 1 / limit, so one more for each round of calls
//
// The level that was refused is remembered: below it the limit climbs freely, at it the limit rests for a
// while before it tries again, so that an account at its own cap sees few 429s. A 429 below it does not begin the
// rest anew: others' calls cause some at any level, and the limit would sink and never try again. Latency is not a signal.
import type { AccountLimits } from './admission.ts'
import {
  LIMIT_DECREASE,
  LIMIT_REST_MAX_MS,
  LIMIT_REST_MIN_MS,
  LIMIT_REST_SERVED,
  LIMIT_RESTING_GAP,
} from './tuning.ts'

export interface ConcurrencyLimit {
  /** Null: unthrottled, at the account's own maximum whatever that becomes. */
  value: number | null
  /** Calls granted at or before this moment belong to a burst that was already answered. */
  decreasedAt: number
  /** The whole level that was refused last; null: none known. */
  refusedLevel: number | null
  /** Since when, and for how many served calls, that level has not been tried. */
  restsSince: number
  restedCalls: number
}

export const newConcurrencyLimit = (): ConcurrencyLimit => ({
  value: null,
  decreasedAt: -Infinity,
  refusedLevel: null,
  restsSince: -Infinity,
  restedCalls: 0,
})

export function readLimit(limit: ConcurrencyLimit, account: AccountLimits): number {
  const floor = Math.max(1, account.minConcurrent)
  const ceiling = Math.max(1, account.maxConcurrent)
  const wanted = limit.value === null ? ceiling : Math.floor(limit.value)
  return Math.min(ceiling, Math.max(Math.min(floor, ceiling), wanted))
}

export interface ThrottledCall {
  readonly grantedAt: number
  readonly rampLimited: boolean
  /** Slots that were taken when it was refused, its own included. */
  readonly inUse: number
}

/** True when the limit was cut. */
export function cutLimit(
  limit: ConcurrencyLimit,
  call: ThrottledCall,
  account: AccountLimits,
  now: number,
): boolean {
  if (call.grantedAt <= limit.decreasedAt) return false
  const level = readLimit(limit, account)
  const grewTooFast = call.rampLimited && call.inUse < level
  const target = grewTooFast ? call.inUse : level * LIMIT_DECREASE
  const least = Math.max(1, account.minConcurrent)
  limit.value = Math.max(least, target)
  const isTried = limit.refusedLevel === null || level >= limit.refusedLevel
  const refused = grewTooFast ? call.inUse + 1 : level
  // Where it cannot go lower, it is not its level that is refused.
  limit.refusedLevel = level > least ? refused : null
  limit.decreasedAt = now
  if (isTried) {
    limit.restsSince = now
    limit.restedCalls = 0
  }
  return true
}

/** True when it is back at the account's own maximum. */
export function raiseLimit(limit: ConcurrencyLimit, account: AccountLimits, now: number): boolean {
  if (limit.value === null) return false
  limit.restedCalls++
  const raised = limit.value + 1 / Math.max(1, limit.value)
  if (limit.refusedLevel !== null && raised >= limit.refusedLevel && !hasRested(limit, now)) {
    limit.value = Math.max(limit.value, limit.refusedLevel - LIMIT_RESTING_GAP)
    return false
  }
  limit.value = raised
  // A whole level above the one that was refused: the account has grown, nothing is known of its edge.
  if (limit.refusedLevel !== null && raised >= limit.refusedLevel + 1) limit.refusedLevel = null
  if (raised < account.maxConcurrent) return false
  limit.value = null
  limit.refusedLevel = null
  return true
}

const hasRested = (limit: ConcurrencyLimit, now: number): boolean => {
  const restedMs = now - limit.restsSince
  if (restedMs >= LIMIT_REST_MAX_MS) return true
  return restedMs >= LIMIT_REST_MIN_MS && limit.restedCalls >= LIMIT_REST_SERVED
}
