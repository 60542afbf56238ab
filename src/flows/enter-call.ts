// The way in: the tenant's request windows and an account's gate are asked side by side, and both must agree. What
// one of them took is given back when the other refuses, so that a refused request uses nothing up.
import { type AccountRefusal, refusalOf } from '../core/answering/refusal.ts'
import { GatewayError, threadUnsupported } from '../core/errors.ts'
import type { Account } from '../core/answering/account.ts'
import type { Services } from '../ports.ts'
import { admitCall } from './admit-call.ts'
import { type Held, settleUnused } from './ask-gate.ts'
import type { Call } from './call.ts'
import { checkModel, type Choice, chooseAccounts } from './choose-accounts.ts'
import { downgradeCall } from './downgrade-call.ts'
import { limitHeaders } from './limit-headers.ts'
import { limitError } from './refuse-limit.ts'

export interface Entered {
  /** As it was asked for, or with its tier's cheaper model. */
  readonly call: Call
  readonly held: Held
  readonly choice: Choice
  /** What the tenant has left, as headers. */
  readonly limits: Readonly<Record<string, string>>
}

/** Throws the refusal; null: the caller left while it waited. */
export async function enterCall(services: Services, call: Call): Promise<Entered | null> {
  // Known on a warm path; the key's own read has taken this one along where it was not.
  const accounts = await services.accounts.usable((work) => call.scope.defer(work))
  const asking: Asking = { call, accounts, stop: new AbortController() }
  checkModel(call, accounts)
  const startedAt = services.now()
  const taking =
    call.limits === null
      ? services.limits.take(call.caller, call.scope.waits)
      : Promise.resolve(call.limits)
  // A refusal that this isolate still remembers comes without a round trip: then no gate is troubled.
  const known = await Promise.race([taking, Promise.resolve(null)])
  if (known?.kind === 'refused') throw limitError(known, startedAt)

  const onGone = (): void => asking.stop.abort()
  call.scope.signal.addEventListener('abort', onGone)
  try {
    const entering = findAccount(services, asking)
    const decision = await taking
    call.scope.timing.storeMs ??= services.now() - startedAt
    if (decision.kind === 'refused') {
      asking.stop.abort()
      call.scope.defer(giveBackLease(services, entering))
      throw limitError(decision, services.now())
    }
    const found = await entering
    if (found.kind === 'held') {
      return { ...found, limits: limitHeaders(decision.windows, services.now()) }
    }
    call.scope.defer(services.limits.refund(call.caller))
    if (found.kind === 'caller_gone') return null
    throw refused(services, asking, found.refusals)
  } finally {
    call.scope.signal.removeEventListener('abort', onGone)
  }
}

function refused(
  services: Services,
  { call, accounts }: Asking,
  refusals: readonly AccountRefusal[],
): GatewayError {
  if (call.usesThread && accounts.length > 1) {
    return threadUnsupported('thread: the account that keeps this thread cannot take the call now')
  }
  const queuedMs = call.scope.timing.queueMs ?? 0
  return refusalOf(refusals, services.now(), { lane: call.lane, queuedMs })
}

interface Asking {
  readonly call: Call
  readonly accounts: readonly Account[]
  readonly stop: AbortController
}

type Found =
  | {
      readonly kind: 'held'
      readonly held: Held
      readonly call: Call
      readonly choice: Choice
    }
  | { readonly kind: 'refused'; readonly refusals: readonly AccountRefusal[] }
  | { readonly kind: 'caller_gone' }

/** For the model that was asked for; where its accounts refuse, for the one that the tier goes down to. */
async function findAccount(services: Services, asking: Asking): Promise<Found> {
  const { call, accounts } = asking
  const cheaper = downgradeCall(call, accounts)
  if (cheaper === null) return findFor(services, asking, call.maxWaitMs)
  const found = await findFor(services, asking, 0)
  if (found.kind !== 'refused') return found
  const second = await findFor(services, { ...asking, call: cheaper }, call.maxWaitMs)
  return second.kind === 'refused'
    ? { kind: 'refused', refusals: [...found.refusals, ...second.refusals] }
    : second
}

async function findFor(
  services: Services,
  { call, accounts, stop }: Asking,
  maxWaitMs: number,
): Promise<Found> {
  const choice = chooseAccounts(services, call, accounts)
  const { candidates, alternatives, someDrain } = choice
  const drained: AccountRefusal[] = someDrain ? [{ reason: 'draining', retryAt: null }] : []
  if (candidates.length === 0) return { kind: 'refused', refusals: drained }
  const entrance = await admitCall(services, call, {
    candidates,
    alternatives,
    maxWaitMs,
    attempt: 1,
    signal: stop.signal,
  })
  if (entrance.kind === 'held') return { ...entrance, call, choice }
  if (entrance.kind === 'caller_gone') return entrance
  return { kind: 'refused', refusals: [...entrance.refusals, ...drained] }
}

async function giveBackLease(services: Services, entering: Promise<Found>): Promise<void> {
  const found = await entering
  if (found.kind !== 'held') return
  await settleUnused(services, found.held.account, found.held.lease)
}
