// How many calls at once: additive increase, multiplicative decrease.
//
//   a burst of 429s:  limit = limit * 0.7, once (only a call granted after the last cut may cut again)
//   a served call:    limit = limit + 1 / limit, so one more for each round of calls
//
// The level that was refused is remembered: below it the limit climbs freely, at it the limit rests for a
// while before it tries again, so that an account at its own cap sees few 429s. Latency is not a signal.
import type { AccountLimits } from './admission.ts'

const DECREASE = 0.7
// One 429 for this many served calls at the edge: about 2.5 % while an account sits at its own cap.
const REST_SERVED = 40
// A rest is at least this long, so that very short calls do not probe many times a second …
const REST_MIN_MS = 1_000
// … and at most this long, so that a slow account is tried again before its caller's patience ends.
const REST_MAX_MS = 30_000

export interface ConcurrencyLimit {
  /** Null: unthrottled, at the account's own maximum whatever that becomes. */
  value: number | null
  /** Calls granted at or before this moment belong to a burst that was already answered. */
  decreasedAt: number
  /** The whole level that was refused last; null: none known. */
  refusedLevel: number | null
  servedSinceCut: number
}

export const newConcurrencyLimit = (): ConcurrencyLimit => ({
  value: null,
  decreasedAt: -Infinity,
  refusedLevel: null,
  servedSinceCut: 0,
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
  // Growing too fast is answered by not growing: the level stays and only the climb rests.
  const target = call.rampLimited ? level : level * DECREASE
  limit.value = Math.max(Math.max(1, account.minConcurrent), target)
  limit.refusedLevel = call.rampLimited ? level + 1 : level
  limit.decreasedAt = now
  limit.servedSinceCut = 0
  return true
}

export function raiseLimit(limit: ConcurrencyLimit, account: AccountLimits, now: number): void {
  if (limit.value === null) return
  limit.servedSinceCut++
  const raised = limit.value + 1 / Math.max(1, limit.value)
  if (limit.refusedLevel !== null && raised >= limit.refusedLevel && !hasRested(limit, now)) {
    limit.value = Math.max(limit.value, limit.refusedLevel - RESTING_GAP)
    return
  }
  limit.value = raised
  // A whole level above the one that was refused: the account has grown, nothing is known of its edge.
  if (limit.refusedLevel !== null && raised >= limit.refusedLevel + 1) limit.refusedLevel = null
  if (raised >= account.maxConcurrent) {
    limit.value = null
    limit.refusedLevel = null
  }
}

// Rests a hair below the refused level, so that the first served call after the rest steps over it.
const RESTING_GAP = 0.001

const hasRested = (limit: ConcurrencyLimit, now: number): boolean => {
  const restedMs = now - limit.decreasedAt
  if (restedMs >= REST_MAX_MS) return true
  return restedMs >= REST_MIN_MS && limit.servedSinceCut >= REST_SERVED
}
