// How long to wait before the same account is tried again: full jitter, random × min(max, base × 2^(attempt − 1))
// (Brooker, "Exponential Backoff And Jitter", 2015); what Claude asks for counts where it is longer.

export interface RetryBounds {
  readonly baseMs: number
  readonly maxMs: number
  /** The longest `retry-after` that is obeyed: a longer one means not now. */
  readonly retryAfterMaxMs: number
}

export interface FailedTry {
  /** Counts from 1. */
  readonly attempt: number
  readonly retryAfterMs: number | null
  /** In [0, 1). */
  readonly random: number
}

/** null: do not try again. */
export function retryDelayMs(bounds: RetryBounds, failed: FailedTry): number | null {
  const { attempt, retryAfterMs, random } = failed
  if (retryAfterMs !== null && retryAfterMs > bounds.retryAfterMaxMs) return null
  const ceiling = Math.min(bounds.maxMs, bounds.baseMs * 2 ** (attempt - 1))
  return Math.max(retryAfterMs ?? 0, random * ceiling)
}
