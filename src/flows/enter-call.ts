// The way in: the tenant's request windows and an account's gate are asked side by side, and both must agree. What
// one of them took is given back when the other refuses, so that a refused request uses nothing up.
import { orderAccounts } from '../core/answering/routing.ts'
import { refusalOf } from '../core/answering/refusal.ts'
import { GatewayError, threadUnsupported } from '../core/errors.ts'
import type { Account } from '../core/answering/account.ts'
import type { LimitDecision, Services } from '../ports.ts'
import { admitCall, type Entrance, type Held, settleUnused } from './admit-call.ts'
import type { Call } from './call.ts'
import { limitHeaders } from './limit-headers.ts'

export interface Entered {
  readonly held: Held
  readonly candidates: readonly Account[]
  /** What the tenant has left, as headers. */
  readonly limits: Readonly<Record<string, string>>
}

/** Throws the refusal; null: the caller left while it waited. */
export async function enterCall(services: Services, call: Call): Promise<Entered | null> {
  // Known on a warm path; the key's own read has taken this one along where it was not.
  const accounts = await services.accounts.usable((work) => call.scope.defer(work))
  const candidates = chooseAccounts(services, call, accounts)
  const startedAt = services.now()
  const taking = services.limits.take(call.caller, call.scope.waits)
  // A refusal that this isolate still remembers comes without a round trip: then no gate is troubled.
  const known = await Promise.race([taking, Promise.resolve(null)])
  if (known?.kind === 'refused') throw limitError(known, startedAt)

  const stop = new AbortController()
  const onGone = (): void => stop.abort()
  call.scope.signal.addEventListener('abort', onGone)
  try {
    const { maxWaitMs } = call
    const entering = admitCall(services, call, {
      candidates,
      maxWaitMs,
      attempt: 1,
      signal: stop.signal,
    })
    const decision = await taking
    call.scope.timing.storeMs = services.now() - startedAt
    if (decision.kind === 'refused') {
      stop.abort()
      call.scope.defer(giveBackLease(services, entering))
      throw limitError(decision, services.now())
    }
    const entrance = await entering
    if (entrance.kind === 'held') {
      const limits = limitHeaders(decision.windows, services.now())
      return { held: entrance.held, candidates, limits }
    }
    call.scope.defer(services.limits.refund(call.caller))
    if (entrance.kind === 'caller_gone') return null
    if (call.usesThread && accounts.length > 1) {
      throw threadUnsupported('thread: the account that keeps this thread cannot take the call now')
    }
    throw refusalOf(entrance.refusals, services.now())
  } finally {
    call.scope.signal.removeEventListener('abort', onGone)
  }
}

/**
 * A thread lives on the account that made it, and every call of a key must find it without a store: the one that the
 * key prefers, and no other.
 */
function chooseAccounts(
  services: Services,
  call: Call,
  accounts: readonly Account[],
): readonly Account[] {
  const ordered = orderAccounts(accounts, {
    model: call.model,
    affinity: call.usesThread ? `${call.caller.tenant}/${call.caller.keyId}` : call.affinity,
    random: services.random(),
  })
  if (ordered.length === 0) {
    throw new GatewayError('not_found', `model: no account serves ${call.model}`)
  }
  return call.usesThread ? ordered.slice(0, 1) : ordered
}

async function giveBackLease(services: Services, entering: Promise<Entrance>): Promise<void> {
  const entrance = await entering
  if (entrance.kind !== 'held') return
  await settleUnused(services, entrance.held.account, entrance.held.lease)
}

function limitError(
  decision: Extract<LimitDecision, { kind: 'refused' }>,
  now: number,
): GatewayError {
  const windows = decision.windows
    .filter((window) => decision.refusedBy.includes(window.name))
    .map((window) => `${window.limit} requests a ${window.name}`)
  return new GatewayError(
    'tenant_requests',
    `Rate limit of this key reached: ${windows.join(', ')}`,
    {
      retryAfterMs: decision.retryAfterMs,
      headers: limitHeaders(decision.windows, now),
    },
  )
}
