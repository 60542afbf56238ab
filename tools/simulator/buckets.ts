// A token bucket that refills continuously over a minute, and the arithmetic of Claude's rate-limit
// headers: whole seconds, token counts rounded to the thousand. Time is an argument.
export const REFILL_MS = 60_000

export interface Bucket {
  limit: number
  level: number
  atMs: number
}

export function fullBucket(limit: number, nowMs: number): Bucket {
  return { limit, level: limit, atMs: nowMs }
}

/** Brings the level up to now. A clock that steps back adds nothing. */
export function refill(bucket: Bucket, nowMs: number): void {
  if (nowMs <= bucket.atMs) return
  const gained = ((nowMs - bucket.atMs) * bucket.limit) / REFILL_MS
  bucket.level = Math.min(bucket.limit, bucket.level + gained)
  bucket.atMs = nowMs
}

/** Milliseconds until `amount` can be taken; more than the limit can never be, so it is the time to full. */
export function waitMs(bucket: Bucket, amount: number): number {
  const missing = Math.min(amount, bucket.limit) - bucket.level
  if (missing <= 0) return 0
  return bucket.limit === 0 ? REFILL_MS : (missing * REFILL_MS) / bucket.limit
}

export interface BucketView {
  limit: number
  remaining: number
  /** When the bucket is full again, seen from the moment of the view. */
  resetAtMs: number
}

export function viewBucket(bucket: Bucket): BucketView {
  return {
    limit: bucket.limit,
    remaining: Math.max(0, Math.floor(bucket.level)),
    resetAtMs: bucket.atMs + waitMs(bucket, bucket.limit),
  }
}

export interface RateView {
  requests: BucketView
  input: BucketView
  output: BucketView
}

/** The header pairs, in Claude's order. `tokens` is input and output together and resets with the input. */
export function rateHeaders(view: RateView): [string, string][] {
  const tokens: BucketView = {
    limit: view.input.limit + view.output.limit,
    remaining: view.input.remaining + view.output.remaining,
    resetAtMs: view.input.resetAtMs,
  }
  return [
    ...triple('requests', view.requests, view.requests.remaining),
    ...triple('input-tokens', view.input, toThousand(view.input.remaining)),
    ...triple('output-tokens', view.output, toThousand(view.output.remaining)),
    ...triple('tokens', tokens, toThousand(tokens.remaining)),
  ]
}

function triple(name: string, view: BucketView, remaining: number): [string, string][] {
  const prefix = `anthropic-ratelimit-${name}`
  return [
    [`${prefix}-limit`, String(view.limit)],
    [`${prefix}-remaining`, String(remaining)],
    [`${prefix}-reset`, wholeSeconds(view.resetAtMs)],
  ]
}

function toThousand(tokens: number): number {
  return Math.round(tokens / 1_000) * 1_000
}

export function wholeSeconds(ms: number): string {
  return `${new Date(Math.floor(ms / 1_000) * 1_000).toISOString().slice(0, 19)}Z`
}
