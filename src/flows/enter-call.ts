// The way in: the tenant's request windows, its ledger and an account's gate are asked side by side, and all must agree.
// What some of them took is given back when another refuses, so that a refused request uses nothing up.
import { type AccountRefusal, refusalOf } from '../core/answering/refusal.ts'
import { GatewayError, threadUnsupported } from '../core/errors.ts'
import type { Account } from '../core/answering/account.ts'
import type { LimitRefusal, Services } from '../ports.ts'
import { admitCall } from './admit-call.ts'
import { type Held, settleUnused } from './ask-gate.ts'
import type { Call } from './call.ts'
import { type AwaitedPrefix, awaitPrefix } from './await-prefix.ts'
import { checkModel, type Choice, chooseAccounts } from './choose-accounts.ts'
import { downgradeCall } from './downgrade-call.ts'
import { pinToFiles } from './owned/pin-to-files.ts'
import { judgeTenant, leftBy } from './judge-tenant.ts'
import { ledgerState, limitHeaders } from './limit-headers.ts'
import { limitError } from './refuse-limit.ts'
import { Unwanted } from './unwanted.ts'
import { waitForMoney } from './wait-for-money.ts'

export interface Entered {
  /** As it was asked for, or with its tier's cheaper model. */
  readonly call: Call
  readonly held: Held
  readonly choice: Choice
  /** What it has Claude keep, and how long it waited for others that did. */
  readonly prefix: AwaitedPrefix | null
  /** What the tenant has left, as headers. */
  readonly limits: Readonly<Record<string, string>>
}

/** Throws the refusal; null: the caller left while it waited. */
export async function enterCall(services: Services, asked: Call): Promise<Entered | null> {
  const { fileIds = [] } = asked
  const call = fileIds.length === 0 ? asked : await pinToFiles(services, asked, fileIds)
  // Known on a warm path; the key's own read has taken this one along where it was not.
  const accounts = await services.accounts.usable((work) => call.scope.defer(work))
  checkModel(call, accounts)
  const startedAt = services.now()
  const taking =
    call.limits === null
      ? services.limits.take(call.caller, call.scope.waits)
      : Promise.resolve(call.limits)
  // A refusal that this isolate still remembers comes without a round trip: then no gate is troubled, and the ledger is
  // only asked what else refuses.
  const known = await Promise.race([taking, Promise.resolve(null)])
  if (known?.kind === 'refused') throw await explain(services, call, known)

  const reserving = call.tab?.reserve() ?? null
  let seeking = askAccounts(services, call, accounts)
  const decision = await taking
  call.scope.timing.storeMs ??= services.now() - startedAt
  const reservation = await reserving
  const giveBack = (): void => {
    if (decision.kind === 'allowed' && decision.isUncounted !== true)
      call.scope.defer(services.limits.refund(call.caller))
    call.tab?.release()
  }
  const refusal = judgeTenant(services, call, decision, reservation)
  if (refusal !== null) {
    seeking.giveBack()
    giveBack()
    throw refusal
  }
  let left = leftBy(reservation)
  if (reservation?.kind === 'busy') {
    // An account's slot is not kept while money is waited for.
    seeking.giveBack()
    const waited = await waitForMoney(services, call, reservation.retryAt)
    if (waited.kind !== 'granted') {
      giveBack()
      if (waited.kind === 'caller_gone') return null
      throw waited.refusal
    }
    left = waited.left
    seeking = askAccounts(services, call, accounts)
  }
  const found = await seeking.found
  if (found.kind === 'held') {
    const ledger = ledgerState(call, left)
    return { ...found, limits: limitHeaders(decision.windows, services.now(), ledger) }
  }
  giveBack()
  if (found.kind === 'caller_gone') return null
  throw refused(services, seeking.asking, found.refusals)
}

interface Asked {
  readonly asking: Asking
  readonly found: Promise<Found>
  /** Nobody wants it any more, whatever the answer is. */
  giveBack(): void
}

function askAccounts(services: Services, call: Call, accounts: readonly Account[]): Asked {
  const { signal } = call.scope
  const stop = new Unwanted()
  if (signal.aborted) stop.abort()
  else signal.addEventListener('abort', stop.abort)
  const asking = { call, accounts, stop }
  const found = findAccount(services, asking).finally(() =>
    signal.removeEventListener('abort', stop.abort),
  )
  return {
    asking,
    found,
    giveBack: () => {
      stop.abort()
      call.scope.defer(giveBackLease(services, found))
    },
  }
}

/** Every limit that refuses a call of which one is known to refuse it. */
async function explain(services: Services, call: Call, known: LimitRefusal): Promise<GatewayError> {
  const probed = (await call.tab?.probe()) ?? null
  return judgeTenant(services, call, known, probed) ?? limitError(known, services.now())
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
  readonly stop: Unwanted
}

type Found =
  | {
      readonly kind: 'held'
      readonly held: Held
      readonly call: Call
      readonly choice: Choice
      readonly prefix: AwaitedPrefix | null
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
  const [first] = candidates
  if (first === undefined) return { kind: 'refused', refusals: drained }
  const prefix = await awaitPrefix(services, call, { account: first.id, maxWaitMs, signal: stop })
  const entrance = await admitCall(services, call, {
    candidates,
    alternatives,
    maxWaitMs,
    attempt: 1,
    signal: stop,
  }).catch((error: unknown) => {
    prefix?.claim.ended()
    throw error
  })
  if (entrance.kind === 'held') return { ...entrance, call, choice, prefix }
  prefix?.claim.ended()
  if (entrance.kind === 'caller_gone') return entrance
  return { kind: 'refused', refusals: [...entrance.refusals, ...drained] }
}

async function giveBackLease(services: Services, entering: Promise<Found>): Promise<void> {
  const found = await entering
  if (found.kind !== 'held') return
  found.prefix?.claim.ended()
  await settleUnused(services, found.held.account, found.held.lease)
}
