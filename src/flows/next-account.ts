// Who is asked after a failure: the accounts that have not been tried first, then those that have, after a while.
import type { Account } from '../core/answering/account.ts'
import { planSecondTry, type Tried } from '../core/answering/retry.ts'
import type { Services } from '../ports.ts'
import { admitCall } from './admit-call.ts'
import { type Held, untilAborted } from './ask-gate.ts'
import { knowledgeOf } from './account-knowledge.ts'
import type { Call } from './call.ts'
import type { Choice } from './choose-accounts.ts'
import type { FailedAttempt } from './judge-attempt.ts'

export interface Tries {
  readonly choice: Choice
  /** In order. */
  readonly failed: Tried[]
}

export interface Failure {
  readonly verdict: FailedAttempt
  readonly held: Held
  readonly attempt: number
  /** Over all attempts. */
  readonly queuedMs: number
}

/** null: nobody; the caller gets the answer that there is. */
export async function nextAccount(
  services: Services,
  call: Call,
  { choice, failed }: Tries,
  { verdict, held, attempt, queuedMs }: Failure,
): Promise<Held | null | 'caller_gone'> {
  const { retry } = services.config
  const { candidates, alternatives } = choice
  // A client that retries by itself multiplies our attempts by its own.
  if (!verdict.retryable || attempt >= retry.attempts || call.isClientRetry) return null
  failed.push(triedNow(services, verdict, held))
  const { signal } = call.scope
  const admit = async (accounts: readonly Account[], maxWaitMs: number) => {
    const entrance = await admitCall(services, call, {
      candidates: accounts,
      alternatives,
      maxWaitMs,
      attempt: attempt + 1,
      signal,
    })
    if (entrance.kind === 'held') return entrance.held
    return entrance.kind === 'caller_gone' ? 'caller_gone' : null
  }
  const mayRetry = (account: string): boolean =>
    knowledgeOf(services).mayRetry(account, services.now())
  const untried = candidates.filter(
    ({ id }) => mayRetry(id) && failed.every(({ account }) => account !== id),
  )
  if (untried.length > 0) {
    const next = await admit(untried, 0)
    if (next !== null) return next
  }
  const promising = failed.filter(({ account }) => mayRetry(account))
  const plan = planSecondTry(retry, promising, {
    attempt,
    random: services.random(),
    now: services.now(),
  })
  if (plan === null) return null
  if ((await untilAborted(sleep(plan.delayMs), signal)) === null) return 'caller_gone'
  const again = plan.accounts.flatMap((id) => candidates.filter((account) => account.id === id))
  return admit(again, Math.max(0, call.maxWaitMs - queuedMs))
}

const triedNow = (services: Services, { end, retryAfterMs }: FailedAttempt, held: Held): Tried => ({
  account: held.account.id,
  failedAt: services.now(),
  retryAfterMs,
  // A spent budget or a refused credential is the same in a second; a failure or a throttle may be over.
  mayRecover: end.outcome.kind === 'failed' || end.outcome.kind === 'throttled',
})

const sleep = (ms: number): Promise<true> =>
  new Promise((resolve) => setTimeout(() => resolve(true), ms))
