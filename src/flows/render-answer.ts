// What the caller sees: Claude's own status, headers and bytes, less what describes our account, plus what says how
// the call went.
import { isReturnedResponseHeader } from '../core/answering/header-policy.ts'
import { GatewayError, retryAfterSeconds } from '../core/errors.ts'
import type { Services } from '../ports.ts'
import type { Held } from './ask-gate.ts'
import type { Call } from './call.ts'
import type { AnsweredAttempt, FailedAttempt, StreamingAttempt } from './judge-attempt.ts'
import { endOfStream } from './judge-attempt.ts'
import { relayStream } from './relay-stream.ts'
import { settleCall } from './settle-call.ts'
import { spendingOf } from './spending.ts'
import type { UpstreamAnswer } from './upstream-answer.ts'

export interface AnswerFacts {
  readonly account: string
  readonly attempt: number
  readonly queuedMs: number
  readonly limits: Readonly<Record<string, string>>
  readonly cacheStatus: string | null
  /** The tier's cheaper model answers. */
  readonly isDowngraded: boolean
}

export function renderWhole(
  services: Services,
  verdict: AnsweredAttempt,
  facts: AnswerFacts,
): Response {
  const { answer, body } = verdict
  const headers = answerHeaders(answer, facts)
  if (answer.status >= 400) {
    const { retryAfterMs, reason, shouldRetry } = verdict.advice
    if (retryAfterMs !== null) {
      const seconds = retryAfterSeconds(retryAfterMs, services.config.retry.retryAfterMaxMs)
      headers['retry-after'] = String(seconds)
    }
    headers['x-should-retry'] = String(shouldRetry)
    if (reason !== null) headers['sluice-reason'] = reason
  }
  return new Response(body as Uint8Array<ArrayBuffer>, { status: answer.status, headers })
}

/** The last attempt failed: Claude's own answer where it gave one, else ours. */
export function renderFailure(
  services: Services,
  failed: FailedAttempt,
  facts: AnswerFacts,
): Response {
  if (failed.answer !== null) return renderWhole(services, failed.answer, facts)
  throw new GatewayError(failed.reason, failed.message, { headers: ownHeaders(facts) })
}

export interface StreamAnswer {
  readonly held: Held
  readonly verdict: StreamingAttempt
  readonly facts: AnswerFacts
}

export function renderStream(
  services: Services,
  call: Call,
  { held, verdict, facts }: StreamAnswer,
): Response {
  if (call.tab !== null) call.tab.isStreaming = true
  const pipe = services.openPipe?.() ?? new TransformStream<Uint8Array, Uint8Array>()
  const relaying = relayStream(verdict.stream, {
    requestId: call.scope.requestId,
    pipe,
    spending: spendingOf(call.tab, verdict.stream.meter, services.now),
    onEnd: (end) => {
      settleCall(services, call, held, endOfStream(services, call, verdict, end))
      call.tab?.settle()
    },
  })
  // Announced now: work that is first heard of when the caller has left might not be kept alive.
  call.scope.defer(relaying)
  return new Response(pipe.readable, {
    status: verdict.answer.status,
    headers: answerHeaders(verdict.answer, facts),
  })
}

/** A plain object: the platform takes it in one step. */
export function answerHeaders(answer: UpstreamAnswer, facts: AnswerFacts): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of answer.headers) {
    if (isReturnedResponseHeader(name)) headers[name] = value
  }
  const upstreamId = answer.headers.get('request-id')
  if (upstreamId !== undefined) headers['sluice-upstream-request-id'] = upstreamId
  return Object.assign(headers, ownHeaders(facts))
}

const ownHeaders = (facts: AnswerFacts): Record<string, string> => ({
  'sluice-account': facts.account,
  'sluice-attempts': String(facts.attempt),
  'sluice-queued-ms': String(Math.round(facts.queuedMs)),
  ...(facts.cacheStatus === null ? {} : { 'cache-status': facts.cacheStatus }),
  ...(facts.isDowngraded ? { 'sluice-reason': 'downgraded' } : {}),
  ...facts.limits,
})
