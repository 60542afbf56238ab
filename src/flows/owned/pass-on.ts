// A request whose body or whose answer is passed on as it comes, however long it is: uploads, contents, results. It takes
// no slot of its account: Claude counts these apart, and a slow reader would hold it.
import { judgeAnswer, readUpstreamError } from '../../core/answering/outcome.ts'
import type { Account } from '../../core/answering/account.ts'
import { GatewayError } from '../../core/errors.ts'
import type { Services } from '../../ports.ts'
import type { Call } from '../call.ts'
import { limitHeaders } from '../limit-headers.ts'
import { limitError } from '../refuse-limit.ts'
import { answerHeaders } from '../render-answer.ts'
import { readAnswer, type UpstreamAnswer } from '../upstream-answer.ts'

export interface Passed {
  readonly answer: UpstreamAnswer
  readonly body: ReadableStream<Uint8Array> | null
  readonly headers: Readonly<Record<string, string>>
}

/** Throws what the caller is refused with. */
export async function passOn(
  services: Services,
  call: Call,
  { account, stream }: { readonly account: Account; readonly stream?: ReadableStream<Uint8Array> },
): Promise<Passed> {
  const { limits, config, now, upstream } = services
  const decision = await limits.take(call.caller, call.scope.waits)
  if (decision.kind === 'refused') throw limitError(decision, now())
  const late = new AbortController()
  const leave = (): void => late.abort()
  call.scope.signal.addEventListener('abort', leave)
  if (call.scope.signal.aborted) leave()
  // An upload is answered when it is over.
  const { firstByteTimeoutMs, totalTimeoutMs } = config.upstream
  const timer = setTimeout(leave, stream === undefined ? firstByteTimeoutMs : totalTimeoutMs)
  try {
    const { method, target, headers, body } = call
    const response = await upstream.send(account, {
      method,
      target,
      headers,
      body,
      signal: late.signal,
      ...(stream === undefined ? {} : { stream }),
    })
    const answer = readAnswer(response)
    const facts = { account: account.id, attempt: 1, queuedMs: 0 }
    const own = limitHeaders(decision.windows, now())
    const told = { ...facts, limits: own, cacheStatus: null, isDowngraded: false }
    if (answer.status >= 400) await expectPassable(answer, response.clone(), now())
    return { answer, body: response.body, headers: answerHeaders(answer, told) }
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause
    throw late.signal.aborted && !call.scope.signal.aborted
      ? new GatewayError('upstream_timeout', "Claude's API did not answer in time", { cause })
      : new GatewayError('upstream_reset', "The connection to Claude's API was cut", { cause })
  } finally {
    clearTimeout(timer)
  }
}

/** What Claude says of our own credential is not for the caller. */
async function expectPassable(
  { status, headers }: UpstreamAnswer,
  response: Response,
  now: number,
): Promise<void> {
  const error = readUpstreamError(await response.json().catch(() => undefined))
  const retryAfter = headers.get('retry-after') ?? null
  const shouldRetry = headers.get('x-should-retry') ?? null
  const judged = judgeAnswer({ status, retryAfter, shouldRetry, error }, now)
  if (judged.passable || !judged.retryable) return
  const message = `Claude's API answered with status ${status}`
  throw new GatewayError(judged.advice.reason ?? 'upstream_invalid', message)
}

export const answerPassed = ({ answer, body, headers }: Passed): Response =>
  new Response(body, { status: answer.status, headers })
