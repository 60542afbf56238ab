// The gates of the accounts, as calls and operators see them.
import type {
  Admission,
  AdmissionAsk,
  Lease,
  Settlement,
  SharedReading,
} from '../core/admission/admission.ts'
import type { GateSnapshot } from '../core/admission/snapshot.ts'
import type { NumberedEntry } from '../core/admission/timeline.ts'
import type { WaitPlace } from '../core/admission/wait-queue.ts'
import type { Account } from '../core/answering/account.ts'

/** Bounds waits. One for each request, so that all of them share a timer; adapters have their own where none is given. */
export interface Waits {
  /** What `answer` gives, or a rejection once the time is over. */
  within<T>(timeoutMs: number, answer: Promise<T>): Promise<T>
  /** Calls back at that moment, epoch ms, or soon after; what it gives undoes it. */
  wakeAt(at: number, wake: () => void): () => void
}

export interface AccountGates {
  /** Never throws: an unreachable gate is a refusal with reason `unavailable`. */
  admit(account: Account, ask: AdmissionAsk, waits?: Waits): Promise<Admission | GateUnavailable>
  cancel(account: Account, ticket: string): Promise<void>
  /** Where a call that waits stands; null: it does not wait, or the gate cannot be reached. Never throws. */
  placeOf(account: Account, ticket: string): Promise<WaitPlace | null>
  /** Never throws. `answering`: bytes have come, so a probe that lasts is not a lost one. */
  renew(account: Account, lease: Lease, progress: LeaseProgress): Promise<LeaseStanding>
  /** Tells a gate what another account of its organization was answered. Best effort: never throws. */
  observe(account: Account, reading: SharedReading): Promise<void>
  /** Whether some call could be admitted now; throws when the gate cannot be reached. For GET /ready. */
  isUsable(account: Account): Promise<boolean>
  /** Resolves once the settlement is durable; retried inside, idempotent by lease id. */
  settle(account: Account, settlement: Settlement, waits?: Waits): Promise<void>
}

/** What a holder tells of its call with each renewal. */
export interface LeaseProgress {
  readonly answering: boolean
  /** Tokens that its stream has produced so far, in all. */
  readonly outputTokens?: number
}

export interface GateUnavailable {
  readonly kind: 'unavailable'
}

/** What a holder knows of its lease after it asked to keep it. */
export type LeaseStanding =
  /** The gate counts it until then, epoch ms. */
  | { readonly kind: 'held'; readonly until: number }
  /** The gate says that the call has ended. */
  | { readonly kind: 'over' }
  /** No answer: what was said last still holds. */
  | { readonly kind: 'unknown' }

/** An operator's view of the gates, and hand on them. Throws `gate_unavailable` when one cannot be reached. */
export interface GateOperations {
  snapshot(account: GatedAccount): Promise<GateSnapshot>
  /** The latest first. */
  timeline(account: GatedAccount, page: TimelinePage): Promise<readonly NumberedEntry[]>
  /** Effective at the next call that asks. */
  operate(account: GatedAccount, operation: GateOperation): Promise<void>
  /** Forgets a removed account; false where it still has calls: then nothing happens. */
  retire(account: GatedAccount): Promise<boolean>
}

/** What a gate needs to know of its account; no credential. */
export type GatedAccount = Pick<
  Account,
  'id' | 'locationHint' | 'weight' | 'maxConcurrent' | 'minConcurrent' | 'draining'
>

/** `open`: nothing passes; `close`: calls pass again; `reset`: as on its first day. */
export type GateOperation = 'open' | 'close' | 'reset'

export interface TimelinePage {
  readonly limit: number
  /** Only what is older than the entry of this number; null: from the latest. */
  readonly before: number | null
}
