// The words of admission: what a caller asks of an account's gate, what the gate answers, and what it
// is told when a call ends. Plain JSON, since all of it crosses the RPC boundary between versions.

export type Lane = 'high' | 'normal' | 'low'

export interface AdmissionAsk {
  /** Made by the caller, unique for each attempt: the lease's id, and the handle to cancel a wait. */
  readonly ticket: string
  readonly tenant: string
  readonly lane: Lane
  /** What shares a rate limit and a breaker upstream: see `core/answering/model-class.ts`. */
  readonly modelClass: string
  /** The caller's guess of uncached input tokens: the cost for fair sharing and for the token buckets. */
  readonly estimatedInputTokens: number
  /** 0: answer at once. */
  readonly maxWaitMs: number
  /** The account's own numbers ride along, since an operator may change them while it runs. */
  readonly account: AccountLimits
  /** True: no other account could take this call, so a mere ratio of failures must not close the door. */
  readonly lastResort?: boolean
  /** 1, or absent: the caller's first. Above: a retry, which takes one from this account's retry budget. */
  readonly attempt?: number
}

export interface AccountLimits {
  readonly maxConcurrent: number
  readonly minConcurrent: number
  readonly draining: boolean
}

export type Admission =
  | {
      readonly kind: 'admitted'
      readonly lease: Lease
      readonly queuedMs: number
      /** True: this call is a half-open probe; it must be settled within the probe's deadline. */
      readonly probe: boolean
      /** True: so many slots are free that nobody waits for this one; its end may be told a moment later, with others. */
      readonly plenty?: boolean
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export interface Lease {
  readonly id: string
  readonly epoch: number
  readonly expiresAt: number
}

/**
 * What a holder knows of its lease, said again with each renewal and settlement. A gate that started after
 * the lease was granted uses it to tell which of its predecessor's slots are which.
 */
export interface LeaseWitness {
  readonly epoch: number
  /** The last expiry that a gate confirmed to the holder. */
  readonly heldUntil: number
  /** False once any call about this lease went unanswered: then it proves nothing. */
  readonly certain: boolean
  readonly tenant: string
  readonly lane: Lane
  readonly modelClass: string
  readonly since: number
}

export interface Renewal {
  readonly leaseId: string
  readonly witness: LeaseWitness | null
  /** True once upstream has sent content: a probe that streams for long is alive, not lost. */
  readonly answering: boolean
  /** Tokens produced so far, in all: the account's output bucket follows a long stream while it runs. */
  readonly outputTokens?: number
}

export interface Refusal {
  readonly reason: RefusalReason
  /** Epoch ms at which asking again makes sense; null: not before an operator acts. */
  readonly retryAt: number | null
  readonly queuedMs: number
}

export type RefusalReason =
  /** The breaker is open for this model class, or its probes are out. */
  | 'open'
  /** Every lease is out and the caller did not want to wait. */
  | 'full'
  /** No place left in the queue, or none left for this tenant. */
  | 'queue_full'
  /** Waited until its deadline. */
  | 'queue_timeout'
  /** The account's own rate limit says pause. */
  | 'throttled'
  /** 401 or 403: the credential does not work. */
  | 'quarantined'
  /** A spend limit was reached. */
  | 'parked'
  | 'draining'
  /** A retry, and this account's calls have earned no more of them. */
  | 'retry_budget'
  /** The caller cancelled while it waited. */
  | 'cancelled'

/** What became of a call. Only `served`, `failed` and `throttled` teach the gate anything. */
export type Outcome =
  | { readonly kind: 'served' }
  /** 5xx, 529, connection errors, timeouts, invalid bodies, an error event, a cut or a stall. */
  | { readonly kind: 'failed'; readonly cause: FailureCause }
  /** A 429; `rampLimited`: growing too fast (`ramp_limit_exceeded`). */
  | {
      readonly kind: 'throttled'
      readonly retryAfterMs: number | null
      readonly rampLimited: boolean
    }
  /** A 429 that waiting does not mend: the account's spend limit. */
  | { readonly kind: 'spend_limited' }
  /** 401 or 403: the account's credential is refused. */
  | { readonly kind: 'credential_refused' }
  /** Says nothing about the account: a caller's abort before an answer, our own refusal after admission. */
  | { readonly kind: 'ignored' }

export type FailureCause =
  | 'status_5xx'
  | 'overloaded'
  | 'connection'
  | 'connect_timeout'
  | 'first_byte_timeout'
  | 'idle_timeout'
  | 'total_timeout'
  | 'invalid_body'
  | 'error_event'
  | 'cut'

export interface Settlement {
  readonly leaseId: string
  readonly epoch: number
  readonly outcome: Outcome
  /** The account's limits as this answer's headers told them; null where none came. */
  readonly rate: RateObservation | null
  /** What the call took from the account's token buckets; absent or null: not known. */
  readonly tokens?: TokenCounts | null
  /** `anthropic-organization-id` of the answer; need not be said with each. */
  readonly organization?: string
}

/** As Claude counts them against an account: cache writes are input, cache reads are not. */
export interface TokenCounts {
  readonly uncachedInputTokens: number
  readonly outputTokens: number
}

/** What an answer to another account of the same organization told: the two draw on one bucket. */
export interface SharedReading {
  /** The id of the account that was answered. */
  readonly account: string
  readonly organization: string
  readonly modelClass: string
  /** Null, with no `retryAfterMs`: says only that the two share an organization. */
  readonly rate: RateObservation | null
  /** Of a 429; null where it was none, or named no time. */
  readonly retryAfterMs: number | null
}

/** `anthropic-ratelimit-*` of one answer, parsed; a missing dimension is absent. `resetAt` in epoch ms. */
export interface RateObservation {
  readonly requests?: RateDimension
  readonly inputTokens?: RateDimension
  readonly outputTokens?: RateDimension
  readonly tokens?: RateDimension
}

export interface RateDimension {
  readonly limit: number
  readonly remaining: number
  readonly resetAt: number | null
}
