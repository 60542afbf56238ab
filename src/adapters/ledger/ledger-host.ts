// The shell around one tenant's ledger, the same in an object and in a process: it asks the core, and has written what
// changed. Decisions are synchronous, so nothing interleaves. A grant is written with whatever else happens within a
// moment; an end is acknowledged only when it is on the disk.
import { advance, nextWakeAt, renew, reserve, settle } from '../../core/money/ledger/ledger.ts'
import { reportOf } from '../../core/money/ledger/left.ts'
import { restoreLedger } from '../../core/money/ledger/ledger-record.ts'
import { clearUnsaved, hasUnsaved, type Ledger } from '../../core/money/ledger/ledger-state.ts'
import { isNearTheEnd } from '../../core/money/ledger/reserve.ts'
import { type PassedThreshold, passedThresholds } from '../../core/money/ledger/thresholds.ts'
import type {
  LedgerAsk,
  LedgerLimits,
  LedgerRenewal,
  LedgerReport,
  LedgerSettlement,
  Renewed,
  Reservation,
} from '../../core/money/ledger/words.ts'
import type { UsageRecord } from '../../core/money/usage-record.ts'
import type { LogLine } from '../../ports.ts'
import type { GroupWriter } from './group-writer.ts'
import type { LedgerStore } from './ledger-store.ts'

export interface LedgerHostOptions {
  readonly store: LedgerStore
  readonly now: () => number
  /** Its `save` calls this host's, and then `saved`. */
  readonly writer: Pick<GroupWriter, 'soon' | 'kept' | 'write'>
  readonly log?: (line: LogLine) => void
  /** Called again and again for the same marks. */
  readonly onPassed?: (tenant: string, passed: readonly PassedThreshold[]) => void
}

/** For an operator: how often, and of which tenants, nothing is heard of calls. */
const logLost = ({ requestId, tenant, model, costNanoUsd }: UsageRecord): LogLine => ({
  event: 'call_lost',
  request_id: requestId,
  tenant,
  model,
  estimated_nano_usd: costNanoUsd,
})

export class LedgerHost {
  readonly #options: LedgerHostOptions
  readonly #ledger: Ledger

  constructor(options: LedgerHostOptions) {
    this.#options = options
    this.#ledger = restoreLedger(options.store.load())
  }

  reserve(ask: LedgerAsk): Reservation {
    const answer = reserve(this.#ledger, ask, this.#options.now())
    // At the end of a budget a grant that a crash forgets would be money spent twice.
    if (answer.kind === 'granted' && isNearTheEnd(this.#ledger, ask, answer)) {
      this.#options.writer.write()
    } else this.#writeSoon()
    // Who restarted after the last call of a period finds out by the next one that it refuses.
    if (answer.kind === 'refused') this.#tellPassed(ask)
    return answer
  }

  renew(renewal: LedgerRenewal): Renewed {
    const { id } = renewal.ask
    if (!this.#ledger.leases.has(id) && this.#options.store.hasCounted(id)) return { kind: 'ended' }
    const renewed = renew(this.#ledger, renewal, this.#options.now())
    this.#writeSoon()
    return renewed
  }

  /** Resolves once all of it is on the disk. */
  settle(settlements: readonly LedgerSettlement[]): Promise<void> {
    const now = this.#options.now()
    for (const settlement of settlements) {
      if (this.#isOld(settlement.id)) continue
      const ask = this.#ledger.leases.get(settlement.id)?.ask
      settle(this.#ledger, settlement, now)
      if (ask !== undefined) this.#tellPassed(ask)
    }
    return hasUnsaved(this.#ledger) ? this.#options.writer.kept() : Promise.resolve()
  }

  /** Told again by a Worker that did not hear our answer, perhaps from before a restart. */
  #isOld(id: string): boolean {
    const { leases, lost, ended } = this.#ledger
    if (leases.has(id) || lost.has(id) || ended.has(id)) return false
    return this.#options.store.hasCounted(id)
  }

  report(limits: LedgerLimits): LedgerReport {
    this.advance()
    return reportOf(this.#ledger, limits, this.#options.now())
  }

  /** Calls that were given up are billed. */
  advance(): void {
    advance(this.#ledger, this.#options.now())
    this.#writeSoon()
  }

  nextWakeAt(): number | null {
    return nextWakeAt(this.#ledger)
  }

  get hasUnsaved(): boolean {
    return hasUnsaved(this.#ledger)
  }

  /** Nothing runs, nothing is to be written: it can be read again from its store. */
  get isIdle(): boolean {
    return this.#ledger.leases.size === 0 && !this.hasUnsaved
  }

  /** Within a transaction. */
  save(): void {
    if (this.hasUnsaved) this.#options.store.save(this.#ledger)
  }

  /** The transaction has been committed. */
  saved(): void {
    const { lost } = this.#ledger.unsaved
    for (const billed of lost) this.#options.log?.(logLost(billed))
    clearUnsaved(this.#ledger)
  }

  #tellPassed({ tenant, limits }: LedgerAsk): void {
    const { onPassed, now } = this.#options
    if (onPassed === undefined) return
    const passed = passedThresholds(this.#ledger, limits, now())
    if (passed.length > 0) onPassed(tenant, passed)
  }

  #writeSoon(): void {
    if (this.hasUnsaved) this.#options.writer.soon()
  }
}
