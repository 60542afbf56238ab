// How fast a tenant's jobs of one lane are handed out. Where one was refused the others would be too: the lane rests, ever
// longer, and then feels its way with one at a time until something is served.

export interface Pace {
  /** In a row. */
  readonly refusals: number
  /** Epoch ms; nothing is handed out before. */
  readonly restsUntil: number
}

export const FULL_PACE: Pace = { refusals: 0, restsUntil: 0 }

const REST_MS = [250, 500, 1_000, 2_000, 5_000]
/**
 * Messages of one tenant that a lane's queue holds: its thousands of jobs do not stand before another tenant's one, and
 * few are sent again where a queue is slow.
 */
const MOST_NOTICES = 50

export const refusedAt = ({ refusals }: Pace, now: number): Pace => ({
  refusals: refusals + 1,
  restsUntil: now + (REST_MS[Math.min(refusals, REST_MS.length - 1)] ?? 0),
})

/** Jobs that may be known to the queue and not taken yet. */
export function noticesOf({ refusals, restsUntil }: Pace, now: number): number {
  if (restsUntil > now) return 0
  return refusals > 0 ? 1 : MOST_NOTICES
}
