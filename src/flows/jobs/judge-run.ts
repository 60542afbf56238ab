// What became of a run, out of the answer that a caller would have got: done, to be tried again, or at its end. A gate or
// a limit that said "later" takes no attempt.
import { fieldsOf, readUsage } from '../../core/answering/usage.ts'
import { SseScanner } from '../../core/answering/sse.ts'
import { AnswerRecorder } from '../../core/conversation/record-answer.ts'
import { errorBody, GatewayError, type Reason } from '../../core/errors.ts'
import type { JobError, RunEnd } from '../../core/jobs/job.ts'
import type { Call } from '../call.ts'
import { recordUsage } from '../record-usage.ts'

export interface JudgedRun {
  readonly end: RunEnd
  /** The Message; null: there is none. */
  readonly result: Uint8Array | null
}

/** Passing states of ours: nothing was asked of Claude. */
const LATER: readonly Reason[] = [
  'accounts_throttled',
  'accounts_open',
  'queue_full',
  'queue_timeout',
  'draining',
  'gate_unavailable',
  'store_unavailable',
  'ledger_unavailable',
  'tenant_concurrency',
  'tenant_input_tokens',
  'tenant_output_tokens',
]
/** Claude or the way to it failed: another attempt may do. */
const BROKEN: readonly Reason[] = [
  'upstream_invalid',
  'upstream_reset',
  'upstream_timeout',
  'upstream_overloaded',
  'internal_error',
  'gate_unavailable',
]
/** A 429 is no answer to the request itself; 408 and 409 pass as well. */
const PASSING_STATUSES: readonly number[] = [408, 409, 429]

export function judgeRefusal(error: GatewayError): JudgedRun {
  const told = { type: errorBody(error, '').error.type, message: error.message }
  const { retryAfterMs } = error
  const wasSent = error.headers['sluice-attempts'] !== undefined
  if (LATER.includes(error.reason) && (!wasSent || error.reason === 'accounts_open')) {
    return { end: { kind: 'refused', error: told, retryAfterMs }, result: null }
  }
  if (BROKEN.includes(error.reason)) return failed(told, 'retry', retryAfterMs)
  // Its owner may be given more money; then an operator redrives it.
  return failed(told, error.reason === 'budget_exhausted' ? 'dead' : 'final')
}

export const timedOut = (timeoutMs: number): JudgedRun =>
  failed(
    { type: 'timeout_error', message: `Claude's API did not answer within ${timeoutMs} ms` },
    'retry',
  )

export const broken = (message: string): JudgedRun =>
  failed({ type: 'api_error', message }, 'retry')

/** Throws where the answer cannot be read to its end. */
export async function judgeAnswer(call: Call, answer: Response): Promise<JudgedRun> {
  const bytes = new Uint8Array(await answer.arrayBuffer())
  if (answer.status >= 400) return judgeStatus(answer, bytes)
  const isStream = answer.headers.get('content-type')?.startsWith('text/event-stream') === true
  const message = isStream ? readStream(bytes) : bytes
  if (!(message instanceof Uint8Array)) return message
  const { usage: said, model } = fieldsOf(parse(message))
  const spent = said === undefined ? null : readUsage(said)
  const record =
    spent === null
      ? null
      : recordUsage(call, { usage: spent, model: typeof model === 'string' ? model : null })
  return {
    end: { kind: 'succeeded', costNanoUsd: record?.costNanoUsd ?? 0 },
    result: message,
  }
}

function judgeStatus(answer: Response, bytes: Uint8Array): JudgedRun {
  const error = readError(bytes, `Claude's API answered ${answer.status}`)
  const seconds = answer.headers.get('retry-after')
  const retryAfterMs = seconds === null || !/^\d+$/.test(seconds) ? null : Number(seconds) * 1000
  if (answer.status === 429) return { end: { kind: 'refused', error, retryAfterMs }, result: null }
  const isPassing = answer.status >= 500 || PASSING_STATUSES.includes(answer.status)
  return isPassing ? failed(error, 'retry', retryAfterMs) : failed(error, 'final')
}

/** A job may be asked for as a stream, which keeps a long answer's connection alive; its result is the Message. */
function readStream(bytes: Uint8Array): Uint8Array | JudgedRun {
  const recorder = new AnswerRecorder()
  const decoder = new TextDecoder()
  const errors: JobError[] = []
  const scanner = new SseScanner(({ type, data }) => {
    if (data === null) return
    if (type !== 'error') return recorder.push(type, decoder.decode(data))
    errors.push(readError(data, 'The stream failed'))
  })
  scanner.push(bytes)
  const [error] = errors
  if (error !== undefined) return failed(error, 'retry')
  const message = recorder.message()
  return message === null
    ? broken("Claude's stream was cut before its end")
    : new TextEncoder().encode(message)
}

function readError(bytes: Uint8Array, otherwise: string): JobError {
  const { type, message } = fieldsOf(fieldsOf(parse(bytes))['error'])
  return {
    type: typeof type === 'string' ? type : 'api_error',
    message: typeof message === 'string' ? message : otherwise,
  }
}

const failed = (
  error: JobError,
  next: 'retry' | 'final' | 'dead',
  retryAfterMs: number | null = null,
): JudgedRun => ({ end: { kind: 'failed', error, next, retryAfterMs }, result: null })

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return null
  }
}
