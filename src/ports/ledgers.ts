// The tenants' ledgers: money, tokens a minute and concurrency, each tenant's in one place.
import type {
  LedgerAsk,
  LedgerLimits,
  LedgerRenewal,
  LedgerReport,
  LedgerSettlement,
  Renewed,
  Reservation,
} from '../core/money/ledger/words.ts'
import type { Waits } from './gates.ts'

export interface Ledgers {
  /** Never throws; bounded in time. Asked again with the same id it answers the same. */
  reserve(ask: LedgerAsk, waits?: Waits): Promise<Reservation | LedgerUnavailable>
  /** Never throws. Keeps the call's place, tells how far it is, and may get more money for it. */
  renew(renewal: LedgerRenewal): Promise<Renewed | LedgerUnavailable>
  /** Resolves once the bill is durable; retried inside, counted once by its id. */
  settle(tenant: string, settlement: LedgerSettlement, waits?: Waits): Promise<void>
  /** Throws when the ledger cannot be reached. */
  report(tenant: string, limits: LedgerLimits): Promise<LedgerReport>
}

export interface LedgerUnavailable {
  readonly kind: 'unavailable'
}
