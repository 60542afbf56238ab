// The words of the ledger: what a call asks of its tenant's ledger, what it is answered, and what the ledger is told
// while the call runs and when it ends. Plain JSON, since all of it crosses the RPC boundary between versions.
import type { UsageRecord } from '../usage-record.ts'

/** A tier's numbers, as far as the ledger keeps them; null is unlimited. They ride along, so a change holds at once. */
export interface LedgerLimits {
  readonly maxConcurrent: number | null
  readonly inputTokensPerMinute: number | null
  readonly outputTokensPerMinute: number | null
  readonly dayNanoUsd: number | null
  readonly monthNanoUsd: number | null
}

/** Nano-dollars a token, of the model that was asked for. */
export interface CallPrice {
  readonly input: number
  /** The dearest that a token of input may become: written to the cache for an hour. */
  readonly inputMost: number
  readonly output: number
}

/** A browser token, and what it may use of its tenant's limits. */
export interface TokenTerms {
  readonly id: string
  readonly maxRequests: number | null
  readonly budgetNanoUsd: number | null
  readonly expiresAt: number
}

export interface LedgerAsk {
  /** Unique for each call: the lease's id. A call has one, however many attempts it takes. */
  readonly id: string
  readonly tenant: string
  readonly key: string
  readonly user: string
  readonly model: string
  /** When the request came: decides its day (UTC). */
  readonly at: number
  /** A stream can be ended midway, so it may be given its money in slices. */
  readonly stream: boolean
  /** Our guess of its input. */
  readonly inputTokens: number
  /** What it may produce at most. */
  readonly maxOutputTokens: number
  readonly price: CallPrice
  readonly ttlMs: number
  /** How long it may be in a queue before it runs and renews. */
  readonly maxWaitMs: number
  readonly limits: LedgerLimits
  readonly token: TokenTerms | null
  /** True: only tell which limits refuse, and take nothing. */
  readonly dry?: boolean
}

export type LimitName =
  | 'concurrency'
  | 'input_tokens'
  | 'output_tokens'
  | 'budget_day'
  | 'budget_month'
  | 'token_budget'
  | 'token_requests'

export interface LimitRefusal {
  readonly name: LimitName
  readonly limit: number
  /** Epoch ms at which the limit has room again; null: never. */
  readonly retryAt: number | null
}

export type Reservation =
  | {
      readonly kind: 'granted'
      readonly expiresAt: number
      /** What the call may cost before it must say how far it is; null: as much as it takes. */
      readonly allowanceNanoUsd: number | null
      readonly left: LedgerLeft
      /** Until then it does not pay to have Claude keep prefixes of this model; absent: it may. */
      readonly prefixOffUntil?: number
    }
  /** There is money left, but calls that run may yet use it: their end decides. */
  | { readonly kind: 'busy'; readonly retryAt: number }
  /** Every limit that refuses, each with its time. Nothing was taken. */
  | {
      readonly kind: 'refused'
      readonly refusals: readonly LimitRefusal[]
      readonly left: LedgerLeft
    }

export interface LedgerRenewal {
  readonly ask: LedgerAsk
  /** The allowance that the holder was last told: a ledger that lost the lease takes it over as it was. */
  readonly allowanceNanoUsd: number | null
  /** What the call has used so far; null: not known yet. */
  readonly progress: UsageRecord | null
}

export type Renewed =
  | {
      readonly kind: 'go'
      readonly expiresAt: number
      /** More than it has cost so far. */
      readonly allowanceNanoUsd: number | null
    }
  /** No budget has more for it: the stream ends here. */
  | { readonly kind: 'stop'; readonly refusals: readonly LimitRefusal[] }
  /** The call has been settled, or given up as lost and billed. */
  | { readonly kind: 'ended' }

export interface LedgerSettlement {
  readonly id: string
  /** Null: it cost nothing. */
  readonly usage: UsageRecord | null
  /** True: refused elsewhere before it ran, so that it leaves no trace. */
  readonly unused?: boolean
  /** True: we asked Claude to keep its prefix, which its caller did not. */
  readonly askedToKeep?: boolean
  /** True: its tokens were used at some other time, and not of those a minute. */
  readonly isBatch?: boolean
  /** The call's length: when a place may come free. */
  readonly tookMs?: number
}

export interface TokensLeft {
  readonly limit: number
  readonly remaining: number
  /** When the whole limit is free again, if nothing more is used. */
  readonly resetAt: number
}

/** What is left of each limit; null where there is none. */
export interface LedgerLeft {
  readonly concurrent: number | null
  readonly inputTokens: TokensLeft | null
  readonly outputTokens: TokensLeft | null
  readonly dayNanoUsd: number | null
  readonly monthNanoUsd: number | null
}

/** Whether Claude is asked to keep prefixes of a model. */
export interface PrefixReport {
  readonly model: string
  /** Null: it is. */
  readonly offUntil: number | null
}

export interface LedgerReport {
  readonly prefixes: readonly PrefixReport[]
  readonly spentDayNanoUsd: number
  readonly spentMonthNanoUsd: number
  readonly running: number
  /** Used within the last minute, and by what runs. */
  readonly inputTokensInMinute: number
  readonly outputTokensInMinute: number
  readonly left: LedgerLeft
}
