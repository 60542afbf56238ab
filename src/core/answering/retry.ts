// Who is asked after a failure, and when: accounts that have not been tried at once; when all have been, the one that
// may be tried soonest, after a wait with full jitter, random × min(max, base × 2^(attempt − 1)) (Brooker, "Exponential
// Backoff And Jitter", 2015). What Claude asks for counts where it is longer.

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

/** An account that failed this call, and what it said. */
export interface Tried {
  readonly account: string
  readonly failedAt: number
  readonly retryAfterMs: number | null
  /** False: it would say the same in a second, as of a spent budget or a refused credential. */
  readonly mayRecover: boolean
}

export interface RetryMoment {
  readonly attempt: number
  readonly random: number
  readonly now: number
}

export interface SecondTry {
  /** In the order in which they are asked. */
  readonly accounts: readonly string[]
  readonly delayMs: number
}

/** Those that were tried before, soonest first; null: none of them may be. */
export function planSecondTry(
  bounds: RetryBounds,
  tried: readonly Tried[],
  { attempt, random, now }: RetryMoment,
): SecondTry | null {
  // An account's last word counts.
  const last = new Map(tried.map((each) => [each.account, each]))
  const ready = [...last.values()]
    .filter(({ mayRecover, retryAfterMs }) => {
      return mayRecover && (retryAfterMs ?? 0) <= bounds.retryAfterMaxMs
    })
    .map(({ account, failedAt, retryAfterMs }) => ({
      account,
      waitMs: Math.max(0, failedAt + (retryAfterMs ?? 0) - now),
      failedAt,
    }))
    .sort((a, b) => a.waitMs - b.waitMs || a.failedAt - b.failedAt)
  const [soonest] = ready
  if (soonest === undefined) return null
  const delayMs = retryDelayMs(bounds, { attempt, random, retryAfterMs: soonest.waitMs })
  if (delayMs === null) return null
  const inTime = ready.filter(({ waitMs }) => waitMs <= delayMs)
  return { accounts: inTime.map(({ account }) => account), delayMs }
}
