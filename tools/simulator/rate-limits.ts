// Three buckets for each organization and model class, and a cap on calls in flight. A refused request
// takes nothing from any bucket; output is taken as it is produced and may run below zero.
import { ApiError } from './api-error.ts'
import {
  fullBucket,
  refill,
  viewBucket,
  waitMs,
  type Bucket,
  type BucketView,
  type RateView,
} from './buckets.ts'

export interface Limits {
  requests_per_minute: number
  input_tokens_per_minute: number
  output_tokens_per_minute: number
  max_concurrent: number | null
}

export const GENEROUS_LIMITS: Limits = {
  requests_per_minute: 4_000_000,
  input_tokens_per_minute: 40_000_000_000,
  output_tokens_per_minute: 8_000_000_000,
  max_concurrent: null,
}

interface BucketSet {
  requests: Bucket
  input: Bucket
  output: Bucket
}

/** What a request holds of its organization's limits. */
export interface Admission {
  requests: BucketView
  input: BucketView
  /** Takes output tokens as they are produced. */
  produce(tokens: number): void
  /** The view for headers; output is seen now, requests and input as they were on arrival. */
  view(): RateView
}

export class RateLimits {
  #limits = new Map<string, Partial<Limits>>()
  #sets = new Map<string, BucketSet>()
  #now: () => number

  constructor(now: () => number, base: Partial<Limits>) {
    this.#now = now
    this.#limits.set('*|*', { ...GENEROUS_LIMITS, ...base })
  }

  /** `*` stands for every organization or class; the closer match wins, field by field. */
  configure(org: string, modelClass: string, limits: Partial<Limits>): void {
    const key = `${org}|${modelClass}`
    this.#limits.set(key, { ...this.#limits.get(key), ...limits })
    this.#sets.clear()
  }

  reset(base: Partial<Limits>): void {
    this.#limits = new Map([['*|*', { ...GENEROUS_LIMITS, ...base }]])
    this.#sets.clear()
  }

  limitsOf(org: string, modelClass: string): Limits {
    const keys = ['*|*', `*|${modelClass}`, `${org}|*`, `${org}|${modelClass}`]
    return Object.assign({}, GENEROUS_LIMITS, ...keys.map((key) => this.#limits.get(key)))
  }

  /** All or nothing. Throws Claude's 429 with the time until the request would fit. */
  admit(org: string, modelClass: string, inputTokens: number): Admission {
    const set = this.#setOf(org, modelClass)
    const now = this.#now()
    for (const bucket of [set.requests, set.input, set.output]) refill(bucket, now)
    const checks: [string, Bucket, number][] = [
      ['requests', set.requests, 1],
      ['input tokens', set.input, inputTokens],
      ['output tokens', set.output, 1],
    ]
    for (const [what, bucket, amount] of checks) {
      if (bucket.level < amount) throw rateLimited(what, bucket, { amount, set })
    }
    set.requests.level -= 1
    set.input.level -= inputTokens
    const requests = viewBucket(set.requests)
    const input = viewBucket(set.input)
    return {
      requests,
      input,
      produce: (tokens) => {
        refill(set.output, this.#now())
        set.output.level -= tokens
      },
      view: () => {
        refill(set.output, this.#now())
        return { requests, input, output: viewBucket(set.output) }
      },
    }
  }

  #setOf(org: string, modelClass: string): BucketSet {
    const key = `${org}|${modelClass}`
    let set = this.#sets.get(key)
    if (set === undefined) {
      const limits = this.limitsOf(org, modelClass)
      const now = this.#now()
      set = {
        requests: fullBucket(limits.requests_per_minute, now),
        input: fullBucket(limits.input_tokens_per_minute, now),
        output: fullBucket(limits.output_tokens_per_minute, now),
      }
      this.#sets.set(key, set)
    }
    return set
  }
}

export class RateLimited extends ApiError {
  readonly view: RateView

  constructor(message: string, retryAfterSeconds: number, view: RateView) {
    super(429, message, { headers: { 'retry-after': String(retryAfterSeconds) } })
    this.view = view
  }
}

function rateLimited(
  what: string,
  bucket: Bucket,
  refused: { amount: number; set: BucketSet },
): RateLimited {
  const seconds = Math.max(1, Math.ceil(waitMs(bucket, refused.amount) / 1_000))
  const { set } = refused
  const view = {
    requests: viewBucket(set.requests),
    input: viewBucket(set.input),
    output: viewBucket(set.output),
  }
  const message = `This request would exceed your organization's rate limit of ${bucket.limit} ${what} per minute.`
  return new RateLimited(message, seconds, view)
}
