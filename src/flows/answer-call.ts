// The story of a call: let in, sent to an account, answered; and where that account fails before anything reached
// the caller, sent to the next. Each attempt's lease comes home exactly once.
import { GatewayError } from '../core/errors.ts'
import type { Services } from '../ports.ts'
import type { Held } from './ask-gate.ts'
import type { Call } from './call.ts'
import { enterCall, type Entered } from './enter-call.ts'
import { keepPrefix } from './keep-prefix.ts'
import { judgeAttempt, type Verdict } from './judge-attempt.ts'
import { nextAccount, type Tries } from './next-account.ts'
import { type AnswerFacts, renderFailure, renderStream, renderWhole } from './render-answer.ts'
import { sendAttempt } from './send-attempt.ts'
import { settleCall } from './settle-call.ts'
import { answerAloud, mayWaitLong } from './wait-aloud.ts'

export const answerCall = (services: Services, call: Call): Promise<Response> =>
  mayWaitLong(services, call)
    ? answerAloud(services, call, (heard) => answerSilently(services, heard))
    : answerSilently(services, call)

/** With no word to the caller before the answer's own. */
export async function answerSilently(services: Services, call: Call): Promise<Response> {
  // Held open from the start: a caller's reset ends the request's context at once, and with it whatever would have
  // given the lease back, unless something is still waited for.
  const over = Promise.withResolvers<void>()
  call.scope.defer(over.promise)
  try {
    return await attemptUntilAnswered(services, call)
  } finally {
    if (call.tab?.isStreaming !== true) call.tab?.settle()
    over.resolve()
  }
}

async function attemptUntilAnswered(services: Services, asked: Call): Promise<Response> {
  const entered = await enterCall(services, asked)
  if (entered === null) throw callerGone()
  try {
    return await attemptFrom(services, asked, entered)
  } finally {
    entered.prefix?.claim.ended()
  }
}

async function attemptFrom(services: Services, asked: Call, entered: Entered): Promise<Response> {
  const call = keepPrefix(services, entered.call)
  const { timing } = call.scope
  const tries: Tries = { choice: entered.choice, failed: [] }
  let held: Held = entered.held
  let queuedMs = entered.prefix?.waitedMs ?? 0
  for (let attempt = 1; ; attempt += 1) {
    queuedMs += held.queuedMs
    const facts: AnswerFacts = {
      account: held.account.id,
      attempt,
      queuedMs,
      limits: entered.limits,
      cacheStatus: call.cacheStatus ?? null,
      isDowngraded: entered.call !== asked,
    }
    const sentAt = services.now()
    const sent = await sendAttempt(services, call, held)
    timing.upstreamMs = (timing.upstreamMs ?? 0) + services.now() - sentAt
    const verdict = judgeAttempt(services, call, sent)
    if (isAnswer(verdict)) entered.prefix?.claim.begun(held.account.id, services.now())
    else entered.prefix?.claim.ended()
    if (verdict.kind === 'stream') return renderStream(services, call, { held, verdict, facts })
    settleCall(services, call, held, verdict.end)
    if (verdict.kind === 'caller_gone') throw callerGone()
    if (verdict.kind === 'answered') return renderWhole(services, verdict, facts)
    const next = await nextAccount(services, call, tries, { verdict, held, attempt, queuedMs })
    if (next === 'caller_gone') throw callerGone()
    if (next === null) return renderFailure(services, verdict, facts)
    held = next
  }
}

/** Claude has begun to answer, and keeps what it was asked to keep. */
const isAnswer = (verdict: Verdict): boolean =>
  verdict.kind === 'stream' || (verdict.kind === 'answered' && verdict.answer.status < 300)

/** Nobody reads this answer; it ends the request's way through the house. */
const callerGone = (): GatewayError =>
  new GatewayError('upstream_reset', 'The caller went away before its answer')
