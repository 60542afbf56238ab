// Refreshing before the time is over, by chance (XFetch, "Optimal Probabilistic Cache Stampede Prevention"): the nearer
// the end and the longer an answer takes to make, the likelier is the one hit that has it made anew, so that there is no
// moment at which everybody misses.
import type { KeptAnswer } from './kept-answer.ts'

/** Work after an answer ends with its platform's patience: a call that took longer would be cut, and paid for. */
export const LONGEST_LATER_MS = 20_000

/** @param random in [0, 1) */
export function refreshesEarly(
  { freshUntil, tookMs }: Pick<KeptAnswer, 'freshUntil' | 'tookMs'>,
  now: number,
  random: number,
): boolean {
  if (tookMs > LONGEST_LATER_MS) return false
  return now - tookMs * Math.log(1 - random) >= freshUntil
}
