// What the cache does and saves, counted here and handed on together a moment later: no hit waits for it, and none makes
// a call of its own. What a tenant saved goes to its ledger, the rest to the store's counts.
import type { KeptAnswer } from '../../core/caching/kept-answer.ts'
import type { UsageRecord } from '../../core/money/usage-record.ts'
import { usageDay } from '../../core/money/usage-totals.ts'
import type { Services } from '../../ports.ts'
import type { Call } from '../call.ts'

export type CountName =
  | 'hits_memory'
  | 'hits_colo'
  | 'hits_redis'
  | 'hits_stale'
  | 'collapsed'
  | 'misses'
  | 'bypasses'
  | 'kept'
  | 'kept_bytes'
  | 'served_bytes'
  | 'refreshes'
  | 'evictions'
  | 'saved_nano_usd'
  | 'saved_ms'

const HAND_ON_AFTER_MS = 250
/** And no more often than that. */
const HAND_ON_EVERY_MS = 1_000
/** The request that was to hand them on has died. */
const OVERDUE_MS = 10_000

export class CacheCounter {
  readonly #services: Services
  #counts = new Map<CountName, number>()
  #savings = new Map<string, UsageRecord>()
  #handsOnAt: number | null = null
  #handedOnAt = -Infinity

  constructor(services: Services) {
    this.#services = services
  }

  count(call: Call, name: CountName, amount = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + amount)
    this.#handOnSoon(call)
  }

  /** A request that cost nothing. */
  saved(call: Call, { costNanoUsd, tookMs, body }: KeptAnswer): void {
    this.count(call, 'saved_nano_usd', costNanoUsd)
    this.count(call, 'saved_ms', tookMs)
    this.count(call, 'served_bytes', body.byteLength)
    const { caller, user, model, scope } = call
    const who = [caller.tenant, caller.keyId, user, model, usageDay(scope.startedAt)]
    const name = JSON.stringify(who)
    const before = this.#savings.get(name)
    this.#savings.set(name, {
      requestId: scope.requestId,
      tenant: caller.tenant,
      key: caller.keyId,
      user,
      model,
      at: scope.startedAt,
      requests: (before?.requests ?? 0) + 1,
      inputTokens: 0,
      outputTokens: 0,
      cacheWriteTokens: 0,
      cacheReadTokens: 0,
      costNanoUsd: 0,
      savedNanoUsd: (before?.savedNanoUsd ?? 0) + costNanoUsd,
      estimated: false,
    })
  }

  #handOnSoon(call: Call): void {
    const now = this.#services.now()
    if (this.#handsOnAt !== null && now < this.#handsOnAt + OVERDUE_MS) return
    const afterMs = Math.max(HAND_ON_AFTER_MS, this.#handedOnAt + HAND_ON_EVERY_MS - now)
    this.#handsOnAt = now + afterMs
    call.scope.defer(
      new Promise<void>((resolve) => setTimeout(resolve, afterMs)).then(() => this.#handOn()),
    )
  }

  async #handOn(): Promise<void> {
    const counts = this.#counts
    const savings = this.#savings
    this.#counts = new Map()
    this.#savings = new Map()
    this.#handsOnAt = null
    this.#handedOnAt = this.#services.now()
    const { ledgers, answers, log } = this.#services
    const bills = [...savings.values()].map((usage) =>
      ledgers
        .settle(usage.tenant, { id: `cache_${crypto.randomUUID()}`, usage })
        .catch((error: unknown) =>
          log({ event: 'savings_not_told', tenant: usage.tenant, error: String(error) }),
        ),
    )
    // Counts are for people to look at: what a store that is down does not hear is lost.
    await Promise.all([...bills, answers.addCounts(Object.fromEntries(counts)).catch(() => {})])
  }
}
