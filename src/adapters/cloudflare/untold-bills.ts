// Bills that a ledger could not be told, over all tenants of an isolate. They go with the tenant's next bill, or behind
// any other tenant's that is kept, so that one bad minute of a ledger needs no further call of its tenant.
import type { LedgerSettlement } from '../../core/money/ledger/words.ts'

const MOST = 10_000
// A ledger knows for two hours what it has counted: what is told again much later could be counted twice.
const KEPT_MS = 3_600_000
const RETRY_MS = 5_000

interface Untold {
  readonly settlement: LedgerSettlement
  readonly at: number
}

interface Waiting {
  readonly bills: readonly Untold[]
  readonly retryAt: number
}

export class UntoldBills {
  readonly #now: () => number
  readonly #waiting = new Map<string, Waiting>()
  #count = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** Those of a tenant and these, to be told now; what is too old to be told is gone. */
  take(tenant: string, ended: readonly LedgerSettlement[] = []): Untold[] {
    const now = this.#now()
    const bills = this.#waiting.get(tenant)?.bills ?? []
    this.#waiting.delete(tenant)
    this.#count -= bills.length
    return [
      ...bills.filter(({ at }) => now - at < KEPT_MS),
      ...ended.map((settlement) => ({ settlement, at: now })),
    ]
  }

  /** They could not be told. */
  keep(tenant: string, bills: readonly Untold[]): void {
    // The oldest have waited longest; each that finds no room has been logged by its call.
    const kept = bills.slice(0, Math.max(0, MOST - this.#count))
    if (kept.length === 0) return
    this.#count += kept.length
    const known = this.#waiting.get(tenant)?.bills ?? []
    this.#waiting.set(tenant, { bills: [...known, ...kept], retryAt: this.#now() + RETRY_MS })
  }

  /** Whose bills should be tried again; null: nobody's. */
  due(): string | null {
    const now = this.#now()
    for (const [tenant, { retryAt }] of this.#waiting) if (retryAt <= now) return tenant
    return null
  }
}
