// Finds an account that lets this call in: the first that admits it at once; else it waits, at several accounts at a
// time where there are several, and goes to the one that has a slot first. Never are two leases kept.
import type { Account } from '../core/answering/account.ts'
import type { AccountRefusal } from '../core/answering/refusal.ts'
import type { Services } from '../ports.ts'
import { type Entrance, GateAsker, type Held, settleUnused } from './ask-gate.ts'
import type { Call } from './call.ts'
import { type LeavingSignal, Unwanted } from './unwanted.ts'

/** A caller stands in so many queues at most: each place costs its gate a call to join and one to leave. */
const MOST_QUEUES = 3

export interface EntranceOptions {
  /** In the order in which they are asked. */
  readonly candidates: readonly Account[]
  /** All that could take the call, were they not shut. */
  readonly alternatives: readonly Account[]
  readonly maxWaitMs: number
  readonly attempt: number
  /** Aborted when nobody wants the lease any more. */
  readonly signal: LeavingSignal
}

export async function admitCall(
  services: Services,
  call: Call,
  options: EntranceOptions,
): Promise<Entrance> {
  const { candidates, alternatives, maxWaitMs, signal } = options
  const gate = new GateAsker(services, call, options.attempt)
  const ask = (account: Account, waitMs: number, unwanted: LeavingSignal): Promise<Entrance> => {
    // What was refused on the way is known by now, so the last of several is a last resort as well.
    const lastResort = !alternatives.some(
      (other) => other.id !== account.id && gate.isUsable(other),
    )
    return gate.ask({ account, maxWaitMs: waitMs, lastResort, signal: unwanted })
  }
  const [only, ...others] = candidates
  if (only !== undefined && others.length === 0) return ask(only, maxWaitMs, signal)

  const refusals: AccountRefusal[] = []
  const queues: Account[] = []
  for (const account of candidates) {
    const entrance = await ask(account, 0, signal)
    if (entrance.kind !== 'refused') return entrance
    refusals.push(...entrance.refusals)
    if (entrance.refusals.some(mayWait)) queues.push(account)
  }
  if (queues.length === 0 || maxWaitMs <= 0) return { kind: 'refused', refusals }
  const waited = await firstOf(
    services,
    call,
    signal,
    queues.slice(0, MOST_QUEUES).map((account) => (unwanted) => ask(account, maxWaitMs, unwanted)),
  )
  return waited.kind === 'refused'
    ? {
        kind: 'refused',
        refusals: [...refusals.filter((said) => !mayWait(said)), ...waited.refusals],
      }
    : waited
}

const mayWait = ({ reason }: AccountRefusal): boolean => reason === 'full' || reason === 'throttled'

type Asking = (unwanted: LeavingSignal) => Promise<Entrance>

/** The first lease that comes; the places in the other queues are given up, and leases that came with it go back. */
async function firstOf(
  services: Services,
  call: Call,
  signal: LeavingSignal,
  askings: readonly Asking[],
): Promise<Entrance> {
  const settled = new Unwanted()
  const settle = settled.abort
  if (signal.aborted) settle()
  signal.addEventListener('abort', settle)
  const refusals: AccountRefusal[] = []
  let held: Held | null = null
  const hear = async (asking: Asking): Promise<void> => {
    const entrance = await asking(settled)
    if (entrance.kind === 'refused') refusals.push(...entrance.refusals)
    if (entrance.kind !== 'held') return
    if (held === null) {
      held = entrance.held
      settle()
    } else call.scope.defer(settleUnused(services, entrance.held.account, entrance.held.lease))
  }
  await Promise.all(askings.map(hear))
  signal.removeEventListener('abort', settle)
  if (held !== null) return { kind: 'held', held }
  return signal.aborted ? { kind: 'caller_gone' } : { kind: 'refused', refusals }
}
