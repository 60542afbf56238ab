// The account's own token buckets for one model class, as its answers tell them:
//
//   level(t) = min(limit, level + (t - at) * limit / 60 s) - what was charged since
//
// A reading is as old as the grant of its call, so what was charged since that grant is taken off again. Readings
// are suspect: a reset in the past says nothing, token levels are rounded to 1,000, dimensions may be missing.
import type { RateDimension, RateObservation, TokenCounts } from './admission.ts'
import type { ChargeTotals } from './leases.ts'
import { BUCKET_REFILL_MS, TOKENS_ROUNDED_TO } from './tuning.ts'

export type DimensionName = 'requests' | 'inputTokens' | 'outputTokens'

export interface Bucket {
  limit: number
  level: number
  at: number
  /** The grant of the call that was read last: older readings are no news. */
  readAt: number
  /** When the account says that it is full again; null: unknown. */
  resetAt: number | null
}

export interface RateState {
  requests: Bucket | null
  inputTokens: Bucket | null
  outputTokens: Bucket | null
  /** All that was ever charged: the difference of two moments is what was charged between them. */
  charged: { requests: number; inputTokens: number; outputTokens: number }
  /** No call before this: the account said so with a 429. */
  pausedUntil: number
}

export const newRateState = (): RateState => ({
  requests: null,
  inputTokens: null,
  outputTokens: null,
  charged: { requests: 0, inputTokens: 0, outputTokens: 0 },
  pausedUntil: -Infinity,
})

const DIMENSIONS: readonly DimensionName[] = ['requests', 'inputTokens', 'outputTokens']

export function levelAt(bucket: Bucket, now: number): number {
  if (bucket.resetAt !== null && now >= bucket.resetAt && bucket.at < bucket.resetAt) {
    return bucket.limit
  }
  const refill = (Math.max(0, now - bucket.at) * bucket.limit) / BUCKET_REFILL_MS
  return Math.min(bucket.limit, bucket.level + refill)
}

const settleLevel = (bucket: Bucket, now: number): void => {
  bucket.level = levelAt(bucket, now)
  bucket.at = Math.max(bucket.at, now)
  if (bucket.resetAt !== null && now >= bucket.resetAt) bucket.resetAt = null
}

/** The moment at which a call of this size may go: `now` or earlier means at once. */
export function mayGoAt(rate: RateState, estimatedInputTokens: number, now: number): number {
  let at = rate.pausedUntil
  at = Math.max(at, coveredAt(rate.requests, 1, now))
  at = Math.max(at, coveredAt(rate.inputTokens, estimatedInputTokens, now))
  return Math.max(at, coveredAt(rate.outputTokens, 1, now))
}

const coveredAt = (bucket: Bucket | null, wanted: number, now: number): number => {
  if (bucket === null) return -Infinity
  // A call larger than the whole bucket goes when the bucket is full: upstream decides about it.
  const needed = Math.min(wanted, bucket.limit)
  const level = levelAt(bucket, now)
  if (level >= needed) return -Infinity
  const refilledAt = now + Math.ceil(((needed - level) * BUCKET_REFILL_MS) / bucket.limit)
  return bucket.resetAt === null ? refilledAt : Math.min(refilledAt, bucket.resetAt)
}

export function chargeCall(
  rate: RateState,
  estimatedInputTokens: number,
  now: number,
): ChargeTotals {
  charge(rate, 'requests', 1, now)
  charge(rate, 'inputTokens', estimatedInputTokens, now)
  return { ...rate.charged }
}

/** It was charged for a call that was then never made. */
export function unchargeCall(rate: RateState, estimatedInputTokens: number, now: number): void {
  charge(rate, 'requests', -1, now)
  charge(rate, 'inputTokens', -estimatedInputTokens, now)
}

const charge = (rate: RateState, name: DimensionName, amount: number, now: number): void => {
  rate.charged[name] += amount
  const bucket = rate[name]
  if (bucket === null) return
  settleLevel(bucket, now)
  bucket.level = Math.min(bucket.limit, bucket.level - amount)
}

/** Replaces the estimate by what was used. Cache reads are free of the input limit; writes are not. */
export function chargeUsage(
  rate: RateState,
  estimatedInputTokens: number,
  tokens: TokenCounts,
  now: number,
): void {
  charge(rate, 'inputTokens', tokens.uncachedInputTokens - estimatedInputTokens, now)
  charge(rate, 'outputTokens', tokens.outputTokens, now)
}

/** A stream's output, while it runs. */
export const chargeOutput = (rate: RateState, tokens: number, now: number): void =>
  charge(rate, 'outputTokens', tokens, now)

export interface Reading {
  readonly observation: RateObservation
  readonly grantedAt: number
  /** The totals at the grant, with what this very call turned out to be. */
  readonly charged: ChargeTotals
}

export function observeRate(rate: RateState, reading: Reading, now: number): void {
  for (const name of DIMENSIONS) {
    const dimension = reading.observation[name]
    if (dimension === undefined || !isCredible(dimension, now)) continue
    const since = rate.charged[name] - reading.charged[name]
    readBucket(rate, name, { ...readingOf(dimension, name), at: reading.grantedAt, since }, now)
  }
}

/**
 * A reading of another account of the same organization. It can only take away: what this account has out
 * meanwhile is unknown to it. A bucket with another limit is another bucket, that of a workspace of its own.
 */
export function observeShared(rate: RateState, observation: RateObservation, now: number): boolean {
  let isOurs = false
  for (const name of DIMENSIONS) {
    const dimension = observation[name]
    const known = rate[name]
    if (dimension === undefined || !isCredible(dimension, now)) continue
    if (known !== null && known.limit !== dimension.limit) continue
    isOurs = true
    const reading = { ...readingOf(dimension, name), at: now, since: 0 }
    if (known === null || reading.remaining < levelAt(known, now)) {
      readBucket(rate, name, reading, now)
    }
  }
  return isOurs
}

const isCredible = (dimension: RateDimension, now: number): boolean => {
  const { limit, remaining, resetAt } = dimension
  if (!Number.isFinite(limit) || !Number.isFinite(remaining)) return false
  if (limit <= 0 || remaining < 0) return false
  // Nothing left, and yet nothing to wait for: one of the two is stale.
  return remaining > 0 || (resetAt !== null && resetAt > now)
}

const readingOf = (
  { limit, remaining, resetAt }: RateDimension,
  name: DimensionName,
): { readonly limit: number; readonly remaining: number; readonly resetAt: number | null } => {
  const rounded = name !== 'requests' && remaining % TOKENS_ROUNDED_TO === 0 && remaining < limit
  const least =
    rounded && limit > 10 * TOKENS_ROUNDED_TO ? remaining - TOKENS_ROUNDED_TO / 2 : remaining
  return { limit, remaining: Math.min(limit, Math.max(0, least)), resetAt }
}

interface BucketReading {
  readonly limit: number
  readonly remaining: number
  readonly resetAt: number | null
  readonly at: number
  readonly since: number
}

const readBucket = (
  rate: RateState,
  name: DimensionName,
  reading: BucketReading,
  now: number,
): void => {
  const known = rate[name]
  if (known !== null && reading.at < known.readAt) return
  const resetAt = reading.resetAt !== null && reading.resetAt > now ? reading.resetAt : null
  const bucket: Bucket = {
    limit: reading.limit,
    level: reading.remaining,
    at: reading.at,
    readAt: reading.at,
    resetAt,
  }
  settleLevel(bucket, now)
  // A reset ahead tells the level whatever the reading's age: the bucket fills in 60 s and is full by then.
  if (resetAt !== null) {
    const missing = ((resetAt - now) * reading.limit) / BUCKET_REFILL_MS
    bucket.level = Math.min(bucket.level, Math.max(reading.remaining, reading.limit - missing))
  }
  bucket.level -= reading.since
  rate[name] = bucket
}

/** A 429 whose headers show an empty bucket, or that the limit cannot answer by shrinking, pauses the class. */
export function pauseUntil(rate: RateState, until: number): void {
  rate.pausedUntil = Math.max(rate.pausedUntil, until)
}

export const isExhausted = (observation: RateObservation | null, now: number): boolean => {
  if (observation === null) return false
  return Object.values(observation).some(
    (each: RateDimension) => each.remaining <= 0 && each.resetAt !== null && each.resetAt > now,
  )
}
