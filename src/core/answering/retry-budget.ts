// How many retries an account's calls have earned: tokens += ratio for each success, −1 for each retry, never above the
// cap. Under a total outage nothing is earned, so that retries die out after the reserve (the token bucket of Finagle's
// RetryBudget and of gRPC's retry throttling).

/** Retries that are there at the start, and the most that quiet times save up. */
export const RETRY_RESERVE = 10

/** How many retries may be made now; a part of one is none yet. */
export type RetryBudget = number

export const openRetryBudget = (): RetryBudget => RETRY_RESERVE

export const earnRetry = (budget: RetryBudget, ratio: number): RetryBudget =>
  Math.min(RETRY_RESERVE, budget + ratio)

/** null: no retry now. */
export const spendRetry = (budget: RetryBudget): RetryBudget | null =>
  // Ten tenths add up to a little less than one.
  budget + 1e-9 >= 1 ? Math.max(0, budget - 1) : null
