// Finds an account that lets this call in: the first that admits it at once, else a wait at the one it prefers.
// A caller that leaves while it waits gives its place back.
import type { Admission, AdmissionAsk, Lease } from '../core/admission/admission.ts'
import type { Account } from '../core/answering/account.ts'
import { modelClass } from '../core/answering/model-class.ts'
import type { AccountRefusal } from '../core/answering/refusal.ts'
import type { GateUnavailable, Services } from '../ports.ts'
import type { Call } from './call.ts'

export interface Held {
  readonly account: Account
  readonly lease: Lease
  readonly queuedMs: number
}

export type Entrance =
  | { readonly kind: 'held'; readonly held: Held }
  | { readonly kind: 'refused'; readonly refusals: readonly AccountRefusal[] }
  | { readonly kind: 'caller_gone' }

export interface EntranceOptions {
  /** In the order in which they are asked. */
  readonly candidates: readonly Account[]
  readonly maxWaitMs: number
  /** Counts the attempts of a call from 1: tickets are unique by it. */
  readonly attempt: number
  /** Aborted when nobody wants the lease any more. */
  readonly signal: AbortSignal
}

export async function admitCall(
  services: Services,
  call: Call,
  options: EntranceOptions,
): Promise<Entrance> {
  const [only, ...others] = options.candidates
  if (only === undefined) return { kind: 'refused', refusals: [] }
  const gate = new Asker(services, call, options)
  if (others.length === 0) {
    const answer = await gate.ask(only, options.maxWaitMs)
    return answer.kind === 'refused' ? { kind: 'refused', refusals: [answer.refusal] } : answer
  }
  const refusals: AccountRefusal[] = []
  for (const account of options.candidates) {
    const answer = await gate.ask(account, 0)
    if (answer.kind !== 'refused') return answer
    refusals.push(answer.refusal)
  }
  const waitable = options.candidates.find(
    (_, index) => refusals[index]?.reason === 'full' || refusals[index]?.reason === 'throttled',
  )
  if (waitable === undefined || options.maxWaitMs <= 0) return { kind: 'refused', refusals }
  const answer = await gate.ask(waitable, options.maxWaitMs)
  return answer.kind === 'refused'
    ? { kind: 'refused', refusals: [...refusals, answer.refusal] }
    : answer
}

type Answer =
  | { readonly kind: 'held'; readonly held: Held }
  | { readonly kind: 'refused'; readonly refusal: AccountRefusal }
  | { readonly kind: 'caller_gone' }

class Asker {
  readonly #services: Services
  readonly #call: Call
  readonly #options: EntranceOptions
  #asked = 0

  constructor(services: Services, call: Call, options: EntranceOptions) {
    this.#services = services
    this.#call = call
    this.#options = options
  }

  async ask(account: Account, maxWaitMs: number): Promise<Answer> {
    const { gates, now } = this.#services
    const { scope } = this.#call
    const { attempt, signal } = this.#options
    if (signal.aborted) return { kind: 'caller_gone' }
    this.#asked += 1
    const ticket = `${scope.requestId}.${attempt}.${this.#asked}`
    const askedAt = now()
    const pending = gates.admit(account, this.#askFor(account, ticket, maxWaitMs), scope.waits)
    const admission = await untilAborted(pending, signal)
    if (admission === null) {
      scope.defer(giveBack(this.#services, account, ticket, pending))
      return { kind: 'caller_gone' }
    }
    return this.#read(account, admission, now() - askedAt)
  }

  #read(account: Account, admission: Admission | GateUnavailable, tookMs: number): Answer {
    const { timing } = this.#call.scope
    if (admission.kind === 'unavailable') {
      timing.gateMs = (timing.gateMs ?? 0) + tookMs
      return { kind: 'refused', refusal: { reason: 'unavailable', retryAt: null } }
    }
    const queuedMs = admission.kind === 'admitted' ? admission.queuedMs : admission.refusal.queuedMs
    timing.queueMs = (timing.queueMs ?? 0) + queuedMs
    timing.gateMs = (timing.gateMs ?? 0) + Math.max(0, tookMs - queuedMs)
    if (admission.kind === 'refused') return { kind: 'refused', refusal: admission.refusal }
    return { kind: 'held', held: { account, lease: admission.lease, queuedMs } }
  }

  #askFor(account: Account, ticket: string, maxWaitMs: number): AdmissionAsk {
    const { caller, lane, model, estimatedInputTokens } = this.#call
    return {
      ticket,
      tenant: caller.tenant,
      lane,
      modelClass: modelClass(model),
      estimatedInputTokens,
      maxWaitMs,
      account: {
        maxConcurrent: account.maxConcurrent,
        minConcurrent: account.minConcurrent,
        draining: account.draining,
      },
    }
  }
}

/** The caller left before the gate answered: its place in the queue goes, and a lease that came all the same. */
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
export const settleUnused = (services: Services, account: Account, lease: Lease): Promise<void> =>
  services.gates.settle(account, {
    leaseId: lease.id,
    epoch: lease.epoch,
    outcome: { kind: 'ignored' },
    rate: null,
    usage: null,
  })

/** What the promise gives, or null once the signal is aborted. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
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
