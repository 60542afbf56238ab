// A stream whose call stands in line for long shows life: its headers go out, then a comment line with its place, again
// and again until Claude's own bytes come. From then on a failure can only be told as an event. Comments are also how a
// caller that has left is noticed. Before the first of them a refusal is a plain status.
import { errorEvent, GatewayError, retryAfterSeconds } from '../core/errors.ts'
import type { Services } from '../ports.ts'
import type { Call } from './call.ts'

type Answer = (call: Call) => Promise<Response>

export const mayWaitLong = (services: Services, call: Call): boolean =>
  call.isStream && call.maxWaitMs > services.config.upstream.pingMs

export async function answerAloud(
  services: Services,
  call: Call,
  answer: Answer,
): Promise<Response> {
  const { pingMs } = services.config.upstream
  const gone = new AbortController()
  const signal = AbortSignal.any([call.scope.signal, gone.signal])
  const answering = answer({ ...call, scope: { ...call.scope, signal } })
  for (;;) {
    const since = call.scope.queue.places[0]?.since ?? services.now()
    const restMs = since + pingMs - services.now()
    if (restMs <= 0) break
    const first = await firstOf(answering, restMs)
    if (first !== null) return first
  }
  // Whatever comes of it is told within the stream.
  answering.catch(() => {})
  return new Response(waitingStream(services, call, { answering, leave: () => gone.abort() }), {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'sluice-queued-ms': String(pingMs),
    },
  })
}

async function firstOf(answering: Promise<Response>, withinMs: number): Promise<Response | null> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), withinMs)
  })
  try {
    return await Promise.race([answering, late])
  } finally {
    clearTimeout(timer)
  }
}

interface Waiting {
  readonly answering: Promise<Response>
  readonly leave: () => void
}

type Controller = ReadableStreamDefaultController<Uint8Array>
type Reader = ReadableStreamDefaultReader<Uint8Array>

const encoder = new TextEncoder()

function waitingStream(
  services: Services,
  call: Call,
  { answering, leave }: Waiting,
): ReadableStream<Uint8Array> {
  let timer: ReturnType<typeof setTimeout> | undefined
  let isWaiting = true
  const comment = async (controller: Controller): Promise<void> => {
    timer = setTimeout(() => void comment(controller), services.config.upstream.pingMs)
    const text = await describePlace(services, call)
    if (isWaiting) controller.enqueue(encoder.encode(`: ${text}\n\n`))
  }
  const over = (): void => {
    isWaiting = false
    clearTimeout(timer)
  }
  // The request's work goes on although its answer has begun.
  const reading = answering
    .then((answer) => readerOf(services, call, answer))
    .catch((error: unknown) => tell(services, call, error))
    .finally(over)
  call.scope.defer(reading)
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => void comment(controller),
      pull: async (controller) => {
        const reader = await reading
        const { value, done } = await reader.read()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: async () => {
        over()
        leave()
        await (await reading).cancel()
      },
    },
    { highWaterMark: 0 },
  )
}

async function describePlace(services: Services, call: Call): Promise<string> {
  const [first] = call.scope.queue.places
  if (first === undefined) return 'waiting for Claude'
  const waitedMs = Math.round(services.now() - first.since)
  const place = await services.gates.placeOf(first.account, first.ticket)
  const where =
    place === null ? '' : `, place ${place.position} there, ${place.waiting} waiting in all`
  return `waiting in lane ${call.lane}${where}, ${waitedMs} ms so far`
}

/** Claude's stream as it is; an answer that is none becomes an event. */
async function readerOf(services: Services, call: Call, answer: Response): Promise<Reader> {
  const type = answer.headers.get('content-type') ?? ''
  if (answer.ok && type.startsWith('text/event-stream') && answer.body !== null) {
    return answer.body.getReader()
  }
  const text = await answer.text()
  if (answer.ok) {
    const error = new GatewayError('upstream_invalid', "Claude's answer is no stream")
    return tell(services, call, error)
  }
  // Claude's own words, on one line as an event's data must be.
  return lastWords(`event: error\ndata: ${text.replaceAll(/[\r\n]+/g, ' ')}\n\n`)
}

/** What a status and headers would have said, in the message. */
function tell(services: Services, call: Call, error: unknown): Reader {
  const { requestId } = call.scope
  if (!(error instanceof GatewayError)) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
    services.log({ event: 'internal_error', request_id: requestId, error: stack })
    return lastWords(errorEvent(new GatewayError('internal_error', 'Internal error'), requestId))
  }
  const { reason, message, retryAfterMs, details } = error
  const seconds =
    retryAfterMs === null
      ? null
      : retryAfterSeconds(retryAfterMs, services.config.retry.retryAfterMaxMs)
  const again = seconds === null ? '' : `; try again in ${seconds} s`
  const told = new GatewayError(reason, message + again, {
    details: { ...details, reason, ...(seconds === null ? {} : { retry_after: seconds }) },
  })
  return lastWords(errorEvent(told, requestId))
}

function lastWords(event: string): Reader {
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      controller.enqueue(encoder.encode(event))
      controller.close()
    },
  }).getReader()
}
