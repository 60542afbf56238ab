// What one call used and cost, as the ledger keeps it. Money is whole nano-dollars, so that sums are exact:
// the cheapest rate of the price table, $0.01 a million tokens, is 10 nano-dollars a token.

export interface UsageRecord {
  /** Our request id: a call is counted once however often it is reported. */
  readonly requestId: string
  readonly tenant: string
  readonly key: string
  /** The caller's `sluice-user`, or empty. */
  readonly user: string
  readonly model: string
  /** Epoch ms of the request's start; decides its day (UTC). */
  readonly at: number
  /** Absent: 1. A correction of what was counted before counts none. */
  readonly requests?: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheWriteTokens: number
  readonly cacheReadTokens: number
  readonly costNanoUsd: number
  /** What the same tokens would have cost uncached, less what they cost. */
  readonly savedNanoUsd: number
  /** True where tokens were counted by us (an aborted stream) or the model has no price row. */
  readonly estimated: boolean
}
