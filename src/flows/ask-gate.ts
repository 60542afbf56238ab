// Asks one account's gate for a lease, on behalf of one attempt of a call. A caller that leaves meanwhile gives its place
// back, and a lease that comes all the same.
import type { Admission, AdmissionAsk, Lease } from '../core/admission/admission.ts'
import type { Account } from '../core/answering/account.ts'
import { modelClass } from '../core/answering/model-class.ts'
import type { AccountRefusal } from '../core/answering/refusal.ts'
import type { GateUnavailable, Services } from '../ports.ts'
import { type AccountKnowledge, knowledgeOf } from './account-knowledge.ts'
import type { Call } from './call.ts'
import type { LeavingSignal } from './unwanted.ts'

export interface Held {
  readonly account: Account
  readonly lease: Lease
  readonly queuedMs: number
}

export type Entrance =
  | { readonly kind: 'held'; readonly held: Held }
  | { readonly kind: 'refused'; readonly refusals: readonly AccountRefusal[] }
  | { readonly kind: 'caller_gone' }

export interface GateAsk {
  readonly account: Account
  readonly maxWaitMs: number
  /** No other account could take the call. */
  readonly lastResort: boolean
  /** Aborted when nobody wants the lease any more. */
  readonly signal: LeavingSignal
}

export class GateAsker {
  readonly knowledge: AccountKnowledge
  readonly #services: Services
  readonly #call: Call
  readonly #attempt: number
  readonly #modelClass: string
  /** Time in several queues at once is counted once. */
  #timedUntil = 0

  /** @param attempt counts the attempts of a call from 1 */
  constructor(services: Services, call: Call, attempt: number) {
    this.knowledge = knowledgeOf(services)
    this.#services = services
    this.#call = call
    this.#attempt = attempt
    this.#modelClass = modelClass(call.model)
  }

  /** Whether it might let this call in now or soon, as far as this isolate knows. */
  isUsable(account: Account): boolean {
    return this.knowledge.isUsable(account.id, this.#modelClass, this.#services.now())
  }

  async ask(question: GateAsk): Promise<Entrance> {
    const { account, signal, maxWaitMs } = question
    const { gates, now } = this.#services
    const { scope } = this.#call
    if (signal.aborted) return { kind: 'caller_gone' }
    scope.queue.asked += 1
    const ticket = `${scope.requestId}.${this.#attempt}.${scope.queue.asked}`
    const askedAt = now()
    const place = { account, ticket, since: askedAt }
    const { places } = scope.queue
    if (maxWaitMs > 0) places.push(place)
    const pending = gates.admit(account, this.#askFor(question, ticket), scope.waits)
    const admission = await untilAborted(pending, signal)
    if (maxWaitMs > 0) places.splice(places.indexOf(place), 1)
    if (admission === null) {
      scope.defer(giveBack(this.#services, account, ticket, pending))
      return { kind: 'caller_gone' }
    }
    this.#time(admission, askedAt)
    return this.#read(account, admission)
  }

  #time(admission: Admission | GateUnavailable, askedAt: number): void {
    const { timing } = this.#call.scope
    const now = this.#services.now()
    const tookMs = Math.max(0, now - Math.max(askedAt, this.#timedUntil))
    this.#timedUntil = now
    const queuedMs = Math.min(tookMs, queuedMsOf(admission))
    if (admission.kind !== 'unavailable') timing.queueMs = (timing.queueMs ?? 0) + queuedMs
    timing.gateMs = (timing.gateMs ?? 0) + tookMs - queuedMs
  }

  #read(account: Account, admission: Admission | GateUnavailable): Entrance {
    const refuse = (refusal: AccountRefusal): Entrance => ({ kind: 'refused', refusals: [refusal] })
    if (admission.kind === 'unavailable') return refuse({ reason: 'unavailable', retryAt: null })
    const now = this.#services.now()
    if (admission.kind === 'refused') {
      this.knowledge.refused(account.id, this.#modelClass, admission.refusal, now)
      return refuse(admission.refusal)
    }
    const { lease, queuedMs } = admission
    this.knowledge.admitted(account.id, this.#modelClass, lease.id, now)
    return { kind: 'held', held: { account, lease, queuedMs } }
  }

  #askFor({ account, maxWaitMs, lastResort }: GateAsk, ticket: string): AdmissionAsk {
    const { caller, lane, estimatedInputTokens } = this.#call
    return {
      ticket,
      tenant: caller.tenant,
      lane,
      modelClass: this.#modelClass,
      estimatedInputTokens,
      maxWaitMs,
      account: {
        maxConcurrent: account.maxConcurrent,
        minConcurrent: account.minConcurrent,
        draining: account.draining,
      },
      lastResort,
      attempt: this.#attempt,
    }
  }
}

function queuedMsOf(admission: Admission | GateUnavailable): number {
  if (admission.kind === 'unavailable') return 0
  return admission.kind === 'admitted' ? admission.queuedMs : admission.refusal.queuedMs
}

async function giveBack(
  services: Services,
  account: Account,
  ticket: string,
  pending: Promise<Admission | GateUnavailable>,
): Promise<void> {
  await services.gates.cancel(account, ticket)
  const late = await pending
  if (late.kind === 'admitted') await settleUnused(services, account, late.lease)
}

/** Frees a lease that no upstream call was made with. */
export function settleUnused(services: Services, account: Account, lease: Lease): Promise<void> {
  knowledgeOf(services).ended(lease.id)
  return services.gates.settle(account, {
    leaseId: lease.id,
    epoch: lease.epoch,
    outcome: { kind: 'ignored' },
    rate: null,
  })
}

/** What the promise gives, or null once the signal is aborted. */
export async function untilAborted<T>(
  promise: Promise<T>,
  signal: LeavingSignal,
): Promise<T | null> {
  if (signal.aborted) return null
  let onAbort = (): void => {}
  const aborted = new Promise<null>((resolve) => {
    onAbort = () => resolve(null)
    signal.addEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
