// What this isolate has seen of its accounts: how many calls it has with each, and which turned calls away for longer
// than a moment. It decides only who is asked first; whether a call may go is for the gates alone. So it may be wrong,
// as when an operator opens an account again: it is believed for a few seconds only.
import type { RefusalReason } from '../core/admission/admission.ts'
import type { AccountGates } from '../ports.ts'

const BELIEVED_MS = 5_000
const MOST_KNOWN = 1_000
const NO_RETRY_MS = 1_000
const FORGOTTEN_AFTER_MS = 3_600_000
/** What a full account says is over with the next call that ends there. */
const LASTING: ReadonlySet<string> = new Set<RefusalReason>([
  'open',
  'throttled',
  'quarantined',
  'parked',
  'draining',
])

interface Shut {
  readonly until: number
  /** Throttled is not broken: such an account is asked last, but it is one that may be used. */
  readonly isUsable: boolean
}

export class AccountKnowledge {
  /** In the order of their grants. */
  readonly #leases = new Map<string, { readonly account: string; readonly since: number }>()
  readonly #loads = new Map<string, number>()
  readonly #shut = new Map<string, Shut>()
  readonly #noRetryUntil = new Map<string, number>()
  readonly #organizations = new Map<string, string>()

  admitted(account: string, modelClass: string, leaseId: string, now: number): void {
    this.#shut.delete(keyOf(account, modelClass))
    if (this.#leases.has(leaseId)) return
    // Should a call ever end unheard, it must not weigh for ever.
    for (const [oldest, { since }] of this.#leases) {
      if (now - since < FORGOTTEN_AFTER_MS) break
      this.ended(oldest)
    }
    this.#leases.set(leaseId, { account, since: now })
    this.#loads.set(account, this.loadOf(account) + 1)
  }

  ended(leaseId: string): void {
    const lease = this.#leases.get(leaseId)
    if (lease === undefined) return
    const { account } = lease
    this.#leases.delete(leaseId)
    this.#loads.set(account, this.loadOf(account) - 1)
  }

  refused(
    account: string,
    modelClass: string,
    { reason, retryAt }: { readonly reason: string; readonly retryAt: number | null },
    now: number,
  ): void {
    if (reason === 'retry_budget') this.#noRetryUntil.set(account, now + NO_RETRY_MS)
    if (!LASTING.has(reason)) return
    // Names of models are the callers' to make up: the oldest go.
    for (const oldest of this.#shut.keys()) {
      if (this.#shut.size < MOST_KNOWN) break
      this.#shut.delete(oldest)
    }
    const until = Math.min(retryAt ?? Infinity, now + BELIEVED_MS)
    this.#shut.set(keyOf(account, modelClass), { until, isUsable: reason === 'throttled' })
  }

  /** Whether that is news. */
  belongs(account: string, organization: string): boolean {
    if (this.#organizations.get(account) === organization) return false
    this.#organizations.set(account, organization)
    return true
  }

  /** The other accounts of its organization, as far as they have been answered here. */
  sharersOf(account: string): readonly string[] {
    const own = this.#organizations.get(account)
    return [...this.#organizations].flatMap(([id, organization]) =>
      id !== account && organization === own ? [id] : [],
    )
  }

  /** False for a moment after its gate said that retries are used up: in an outage nobody waits to hear it again. */
  mayRetry(account: string, now: number): boolean {
    return now >= (this.#noRetryUntil.get(account) ?? -Infinity)
  }

  loadOf(account: string): number {
    return this.#loads.get(account) ?? 0
  }

  isShut(account: string, modelClass: string, now: number): boolean {
    return now < (this.#shut.get(keyOf(account, modelClass))?.until ?? -Infinity)
  }

  /** Whether it might let a call in now or soon. */
  isUsable(account: string, modelClass: string, now: number): boolean {
    const known = this.#shut.get(keyOf(account, modelClass))
    return known === undefined || known.isUsable || now >= known.until
  }
}

const keyOf = (account: string, modelClass: string): string => `${account}\n${modelClass}`

/** One for each house: its gates stand for it. */
const known = new WeakMap<AccountGates, AccountKnowledge>()

export function knowledgeOf({ gates }: { readonly gates: AccountGates }): AccountKnowledge {
  const own = known.get(gates) ?? new AccountKnowledge()
  known.set(gates, own)
  return own
}
