// Turns what came of an attempt into what follows from it: for the gate, for the bill, for another try, and for the
// caller if it was the last.
import type { Outcome } from '../core/admission/admission.ts'
import { parseRateObservation } from '../core/answering/rate-headers.ts'
import {
  type Advice,
  judgeAnswer,
  readUpstreamError,
  statusOfErrorType,
} from '../core/answering/outcome.ts'
import { fieldsOf, readOpenAiUsage, readUsage } from '../core/answering/usage.ts'
import type { Reason } from '../core/errors.ts'
import type { Services } from '../ports.ts'
import type { Call } from './call.ts'
import { LEASE_LOST, type StreamEnd } from './relay-stream.ts'
import type { Attempt, OpenStream } from './send-attempt.ts'
import type { AttemptEnd } from './settle-call.ts'
import type { Meter } from './meter.ts'
import type { BreakCause } from './watch.ts'
import { recordUsage, type Spent } from './record-usage.ts'
import { contentTypeOf, type UpstreamAnswer } from './upstream-answer.ts'

export type Verdict = StreamingAttempt | AnsweredAttempt | FailedAttempt | LeftAttempt

export interface StreamingAttempt {
  readonly kind: 'stream'
  readonly answer: UpstreamAnswer
  readonly stream: OpenStream
}

/** Claude's answer to this request, good or bad: no other account would say anything else. */
export interface AnsweredAttempt {
  readonly kind: 'answered'
  readonly answer: UpstreamAnswer
  readonly body: Uint8Array
  readonly advice: Advice
  readonly end: AttemptEnd
}

export interface FailedAttempt {
  readonly kind: 'failed'
  readonly end: AttemptEnd
  readonly retryable: boolean
  readonly retryAfterMs: number | null
  /** Claude's own words, where they may be passed on. */
  readonly answer: AnsweredAttempt | null
  /** Ours, where they may not. */
  readonly reason: Reason
  readonly message: string
}

export interface LeftAttempt {
  readonly kind: 'caller_gone'
  readonly end: AttemptEnd
}

export function judgeAttempt(services: Services, call: Call, attempt: Attempt): Verdict {
  switch (attempt.kind) {
    case 'caller_gone': {
      return {
        kind: 'caller_gone',
        end: { ...endWith(call, { kind: 'ignored' }, spentOf(attempt.meter)), severed: true },
      }
    }
    case 'broken':
      return broken(call, attempt.cause, {
        spent: spentOf(attempt.meter),
        severed: attempt.severed,
      })
    case 'stream':
      return judgeFirstEvent(services, call, attempt)
    case 'whole':
      return judgeWhole(services, call, attempt)
  }
}

/** An `error` as a stream's first event is a failure like a status. */
function judgeFirstEvent(
  services: Services,
  call: Call,
  attempt: Extract<Attempt, { kind: 'stream' }>,
): Verdict {
  const { answer, stream } = attempt
  const { meter, watch, reader } = stream
  if (meter.errorType === null) return { kind: 'stream', answer, stream }
  watch.stop()
  reader.cancel().catch(() => {})
  const headers = new Map(answer.headers)
  headers.set('content-type', 'application/json')
  // On a 200 it meant nothing.
  headers.delete('retry-after')
  const failure = { status: statusOfErrorType(meter.errorType), headers }
  const body = meter.errorBody ?? new Uint8Array(0)
  return judgeWhole(services, call, { kind: 'whole', answer: failure, body, severed: true })
}

function judgeWhole(
  services: Services,
  call: Call,
  { answer, body, severed }: Extract<Attempt, { kind: 'whole' }>,
): Verdict {
  const parsed = parseJson(body)
  const now = services.now()
  if (answer.status < 300 && (parsed === undefined || !isJson(answer))) {
    return broken(call, 'invalid_body', { spent: null, severed })
  }
  const judgement = judgeAnswer(
    {
      status: answer.status,
      retryAfter: answer.headers.get('retry-after') ?? null,
      shouldRetry: answer.headers.get('x-should-retry') ?? null,
      error: answer.status < 400 ? null : readUpstreamError(parsed),
    },
    now,
  )
  const spent = answer.status < 300 ? readSpent(call, parsed) : null
  const end: AttemptEnd = {
    ...endWith(call, judgement.outcome, spent),
    rate: parseRateObservation(answer.headers, now),
    severed,
    organization: organizationOf(answer.headers),
  }
  const answered: AnsweredAttempt = {
    kind: 'answered',
    answer,
    body,
    advice: judgement.advice,
    end,
  }
  if (!judgement.retryable) return answered
  return {
    kind: 'failed',
    end,
    retryable: true,
    retryAfterMs: judgement.advice.retryAfterMs,
    answer: judgement.passable ? answered : null,
    reason: judgement.advice.reason ?? 'upstream_invalid',
    message:
      judgement.advice.reason === 'accounts_open'
        ? "No account's credential is accepted by Claude's API"
        : `Claude's API answered with status ${answer.status} and no error that can be read`,
  }
}

/** How a stream ended, once its bytes had begun to flow. */
export function endOfStream(
  services: Services,
  call: Call,
  { stream, answer }: StreamingAttempt,
  end: StreamEnd,
): AttemptEnd {
  // A caller that leaves an answer half read says nothing against the account, which was serving it.
  const outcome: Outcome = end.kind === 'broken' ? outcomeOf(end.cause) : { kind: 'served' }
  return {
    ...endWith(call, outcome, spentOf(stream.meter)),
    rate: parseRateObservation(answer.headers, services.now()),
    severed: stream.watch.interruption !== null,
    organization: organizationOf(answer.headers),
  }
}

const endWith = (call: Call, outcome: Outcome, spent: Spent | null): AttemptEnd => ({
  outcome,
  rate: null,
  organization: null,
  usage: spent === null ? null : recordUsage(call, spent),
  severed: false,
})

/** Limits are its own. A workspace in it may have limits besides: the gates tell its buckets apart by their size. */
const organizationOf = (headers: UpstreamAnswer['headers']): string | null =>
  headers.get('anthropic-organization-id') ?? null

function spentOf(meter: Meter | null): Spent | null {
  const usage = meter?.usage() ?? null
  return usage === null ? null : { usage, model: meter?.model ?? null }
}

/** Only answers are billed; counting tokens and listing models are free. */
function readSpent(call: Call, answer: unknown): Spent | null {
  const { usage: said, model } = fieldsOf(answer)
  if (said === undefined || (call.kind !== 'messages' && call.kind !== 'chat_completions')) {
    return null
  }
  const usage = call.kind === 'messages' ? readUsage(said) : readOpenAiUsage(said)
  return usage === null ? null : { usage, model: typeof model === 'string' ? model : null }
}

/** A lease that was lost, and a budget, are between the gateway and its callers: they say nothing of the account. */
const outcomeOf = (cause: BreakCause): Outcome =>
  cause === 'lease_lost' || cause === 'budget_spent'
    ? { kind: 'ignored' }
    : { kind: 'failed', cause }

const broken = (
  call: Call,
  cause: BreakCause,
  { spent, severed }: { readonly spent: Spent | null; readonly severed: boolean },
): FailedAttempt => ({
  kind: 'failed',
  end: { ...endWith(call, outcomeOf(cause), spent), severed },
  // The time is used up: another try would have none left.
  retryable: cause !== 'total_timeout',
  retryAfterMs: null,
  answer: null,
  ...tellBroken(cause),
})

function tellBroken(cause: BreakCause): { reason: Reason; message: string } {
  switch (cause) {
    case 'invalid_body':
      return { reason: 'upstream_invalid', message: "Claude's answer cannot be read" }
    case 'lease_lost':
      return { reason: 'gate_unavailable', message: LEASE_LOST }
    case 'connect_timeout':
    case 'first_byte_timeout':
    case 'idle_timeout':
    case 'total_timeout':
      return { reason: 'upstream_timeout', message: "Claude's API did not answer in time" }
    default:
      return { reason: 'upstream_reset', message: "The connection to Claude's API was cut" }
  }
}

const isJson = (answer: UpstreamAnswer): boolean =>
  contentTypeOf(answer).startsWith('application/json')

const decoder = new TextDecoder()

/** undefined where it is no JSON. */
function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(body)) as unknown
  } catch {
    return undefined
  }
}
