// The answer of a turn on its way to the caller: put together as it passes, and kept before its end is told, so that
// whoever has seen the end finds the turn in the session.
import { SseScanner } from '../core/answering/sse.ts'
import { AnswerRecorder } from '../core/conversation/record-answer.ts'
import { errorEvent, type GatewayError } from '../core/errors.ts'
import type { OpenTurn } from './open-turn.ts'

export interface KeepTurnOptions {
  readonly turn: OpenTurn
  readonly requestId: string
}

/** The same answer; throws where it is whole and could not be kept. */
export async function keepTurn(response: Response, options: KeepTurnOptions): Promise<Response> {
  const { turn } = options
  if (response.status !== 200 || response.body === null) {
    await turn.letGo()
    return response
  }
  const headers = new Headers(response.headers)
  // A stream that has stood in line says nothing of its account.
  const account = headers.get('sluice-account')
  for (const [name, value] of Object.entries(turn.headers)) headers.set(name, value)
  const isStream = headers.get('content-type')?.startsWith('text/event-stream') === true
  if (isStream) {
    const body = recordTurn(response.body, { ...options, account })
    return new Response(body, { status: response.status, headers })
  }
  const bytes = await response.arrayBuffer()
  const failure = await turn.keep(new TextDecoder().decode(bytes), account)
  if (failure !== null) throw failure
  return new Response(bytes, { status: response.status, headers })
}

function recordTurn(
  stream: ReadableStream<Uint8Array>,
  { turn, requestId, account }: KeepTurnOptions & { readonly account: string | null },
): ReadableStream<Uint8Array> {
  const reader = stream.getReader()
  const recorder = new AnswerRecorder()
  let isReadable = true
  const scanner = new SseScanner(({ type, data }) => {
    if (isReadable) isReadable = record(recorder, type, data)
  })
  const tellFailure = (
    controller: ReadableStreamDefaultController<Uint8Array>,
    chunk: Uint8Array,
    failure: GatewayError,
  ): void => {
    const begun = beforeItsEnd(chunk)
    controller.enqueue(begun.part)
    const event = errorEvent(failure, requestId, begun.atBoundary)
    controller.enqueue(new TextEncoder().encode(event))
    controller.close()
    reader.cancel().catch(() => {})
  }
  let isKept = false
  return new ReadableStream(
    {
      async pull(controller) {
        const { value, done } = await reader.read()
        if (done) {
          // Cut, or ended by an error: the relay has said so.
          await turn.letGo()
          return controller.close()
        }
        scanner.push(value)
        const message = isKept || !isReadable ? null : recorder.message()
        if (message !== null) {
          isKept = true
          const failure = await turn.keep(message, account)
          if (failure !== null) return tellFailure(controller, value, failure)
        }
        controller.enqueue(value)
      },
      async cancel(reason) {
        await Promise.all([turn.letGo(), reader.cancel(reason)])
      },
    },
    { highWaterMark: 0 },
  )
}

const decoder = new TextDecoder()

/** False where an event is no JSON or too large to be read: what is not known whole is not kept. */
function record(recorder: AnswerRecorder, type: string, data: Uint8Array | null): boolean {
  if (data === null) return false
  try {
    recorder.push(type, decoder.decode(data))
    return true
  } catch {
    return false
  }
}

const LAST_EVENT = new TextEncoder().encode('event: message_stop')

/** What of the last chunk comes before the event that would tell the caller that all is well. */
function beforeItsEnd(chunk: Uint8Array): { part: Uint8Array; atBoundary: boolean } {
  for (let at = chunk.length - LAST_EVENT.length; at >= 0; at -= 1) {
    if (LAST_EVENT.every((byte, offset) => chunk[at + offset] === byte)) {
      return { part: chunk.subarray(0, at), atBoundary: true }
    }
  }
  // The event began in an earlier chunk: its name is overwritten.
  return { part: new Uint8Array(0), atBoundary: false }
}
