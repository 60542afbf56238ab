// The story of a call: let in, sent to an account, answered; and where that account fails before anything reached
// the caller, sent to the next. Each attempt's lease comes home exactly once.
import { GatewayError } from '../core/errors.ts'
import { retryDelayMs } from '../core/answering/retry.ts'
import type { Services } from '../ports.ts'
import { admitCall, type Held, untilAborted } from './admit-call.ts'
import type { Call } from './call.ts'
import { type Entered, enterCall } from './enter-call.ts'
import { type FailedAttempt, judgeAttempt } from './judge-attempt.ts'
import { type AnswerFacts, renderFailure, renderStream, renderWhole } from './render-answer.ts'
import { sendAttempt } from './send-attempt.ts'
import { settleCall } from './settle-call.ts'

export async function answerCall(services: Services, call: Call): Promise<Response> {
  // Held open from the start: a caller's reset ends the request's context at once, and with it whatever would have
  // given the lease back, unless something is still waited for.
  const over = Promise.withResolvers<void>()
  call.scope.defer(over.promise)
  try {
    return await attemptUntilAnswered(services, call)
  } finally {
    over.resolve()
  }
}

async function attemptUntilAnswered(services: Services, call: Call): Promise<Response> {
  const entered = await enterCall(services, call)
  if (entered === null) throw callerGone()
  let held = entered.held
  let queuedMs = 0
  for (let attempt = 1; ; attempt += 1) {
    queuedMs += held.queuedMs
    const facts: AnswerFacts = {
      account: held.account.id,
      attempt,
      queuedMs,
      limits: entered.limits,
    }
    const sentAt = services.now()
    const sent = await sendAttempt(services, call, held)
    call.scope.timing.upstreamMs = services.now() - sentAt
    const verdict = judgeAttempt(services, call, sent)
    if (verdict.kind === 'stream') return renderStream(services, call, { held, verdict, facts })
    settleCall(services, call, held, verdict.end)
    if (verdict.kind === 'caller_gone') throw callerGone()
    if (verdict.kind === 'answered') return renderWhole(services, verdict, facts)
    const next = await nextAccount(services, call, { entered, failed: verdict, held, attempt })
    if (next === 'caller_gone') throw callerGone()
    if (next === null) return renderFailure(services, verdict, facts)
    held = next
  }
}

interface Failure {
  readonly entered: Entered
  readonly failed: FailedAttempt
  readonly held: Held
  readonly attempt: number
}

/** Who is asked after a failure: the others first, then the same again after a while; null: nobody. */
async function nextAccount(
  services: Services,
  call: Call,
  { entered, failed, held, attempt }: Failure,
): Promise<Held | null | 'caller_gone'> {
  const { retry } = services.config
  // A client that retries by itself multiplies our attempts by its own.
  if (!failed.retryable || attempt >= retry.attempts || call.isClientRetry) return null
  const { signal } = call.scope
  const others = entered.candidates.filter((account) => account.id !== held.account.id)
  if (others.length > 0) {
    const entrance = await admitCall(services, call, {
      candidates: others,
      maxWaitMs: 0,
      attempt: attempt + 1,
      signal,
    })
    if (entrance.kind === 'held') return entrance.held
    if (entrance.kind === 'caller_gone') return 'caller_gone'
  }
  if (!mayRecover(failed)) return null
  const delayMs = retryDelayMs(retry, {
    attempt,
    retryAfterMs: failed.retryAfterMs,
    random: services.random(),
  })
  if (delayMs === null) return null
  if ((await untilAborted(sleep(delayMs), signal)) === null) return 'caller_gone'
  const again = await admitCall(services, call, {
    candidates: [held.account],
    maxWaitMs: Math.max(0, call.maxWaitMs - held.queuedMs),
    attempt: attempt + 1,
    signal,
  })
  if (again.kind === 'caller_gone') return 'caller_gone'
  return again.kind === 'held' ? again.held : null
}

/** A spent budget or a refused credential is the same in a second; a failure or a throttle may be over. */
const mayRecover = ({ end }: FailedAttempt): boolean =>
  end.outcome.kind === 'failed' || end.outcome.kind === 'throttled'

const sleep = (ms: number): Promise<true> =>
  new Promise((resolve) => setTimeout(() => resolve(true), ms))

/** Nobody reads this answer; it ends the request's way through the house. */
const callerGone = (): GatewayError =>
  new GatewayError('upstream_reset', 'The caller went away before its answer')
