// Whether it pays a tenant to have Claude keep its prefixes, by model. Writing one costs a quarter more than plain input,
// and only reading it back earns that. Judged by each fifty calls that wrote something: where these lost money it is
// left off, for longer each time, and then tried again.
import type { UsageRecord } from '../usage-record.ts'

export interface PrefixWorth {
  /** Calls since it was judged last that had something written. */
  writes: number
  /** What all calls since then saved, less what the writes cost more. */
  savedNanoUsd: number
  /** Epoch ms; 0: it was never left off. */
  offUntil: number
  /** Times in a row that it did not pay. */
  failures: number
}

/** By model; the one that was used last is the last. */
export type PrefixWorths = Map<string, PrefixWorth>

const JUDGED_WRITES = 50
const FIRST_OFF_MS = 300_000
const MOST_OFF_MS = 86_400_000
/** Names of models are the callers' to make up. */
const MOST_MODELS = 32

/** A call of which we asked Claude to keep the prefix has ended. */
export function notePrefix(
  worths: PrefixWorths,
  { model, cacheWriteTokens, savedNanoUsd }: UsageRecord,
  now: number,
): void {
  const worth = worths.get(model) ?? { writes: 0, savedNanoUsd: 0, offUntil: 0, failures: 0 }
  worths.delete(model)
  worths.set(model, worth)
  for (const oldest of worths.keys()) {
    if (worths.size <= MOST_MODELS) break
    worths.delete(oldest)
  }
  // It was on its way when it was left off.
  if (now < worth.offUntil) return
  worth.savedNanoUsd += savedNanoUsd
  if (cacheWriteTokens > 0) worth.writes += 1
  if (worth.writes >= JUDGED_WRITES) judge(worth, now)
}

function judge(worth: PrefixWorth, now: number): void {
  const pays = worth.savedNanoUsd >= 0
  worth.writes = 0
  worth.savedNanoUsd = 0
  if (pays) {
    worth.failures = 0
    return
  }
  worth.offUntil = now + Math.min(MOST_OFF_MS, FIRST_OFF_MS * 2 ** worth.failures)
  worth.failures += 1
}

/** Until when it is left off for this model; null: it is on. */
export function prefixOffUntil(worths: PrefixWorths, model: string, now: number): number | null {
  const until = worths.get(model)?.offUntil ?? 0
  return until > now ? until : null
}
