// What one request gets of a flight: its bytes as they come, the whole answer, or what it failed with. Each request waits
// by itself, for as long as it would wait for Claude.
import { SseScanner } from '../../core/answering/sse.ts'
import { errorEvent, GatewayError } from '../../core/errors.ts'
import type { Services } from '../../ports.ts'
import type { Call } from '../call.ts'
import { EVENT_STREAM } from '../replay-stream.ts'
import type { Flight } from './flight.ts'
import { isPassing, renderFlightFailure } from './flight-failure.ts'
import { renderMessage } from './render-kept.ts'

export interface FlightReader {
  readonly call: Call
  readonly flight: Flight
  /** As `Flight.join` gave it. */
  readonly leave: () => void
  /** It makes the call, and is answered as one who asked no cache. */
  readonly isMaker: boolean
  /** Where the call has failed in a way that may pass: the reader will make it itself. */
  readonly mayTryAgain: boolean
  /** Headers of its own. */
  readonly own: Readonly<Record<string, string>>
}

/** A look at the maker's signs of life, now and then. */
const TICK_MS = 500

/** Null: to be asked again, since this call gives nothing. Throws its failure. */
export async function readFlight(
  services: Services,
  reader: FlightReader,
): Promise<Response | null> {
  const { call, flight, leave, isMaker } = reader
  const { signal } = call.scope
  const { firstByteTimeoutMs } = services.config.upstream
  const until = isMaker ? Infinity : services.now() + firstByteTimeoutMs
  let isStreaming = false
  signal.addEventListener('abort', leave)
  try {
    for (;;) {
      const now = services.now()
      if (signal.aborted) throw callerGone()
      const isOver = flight.isOver(now)
      if (call.isStream && flight.pieces.length > 0) {
        isStreaming = true
        return streamResponse(services, reader)
      }
      if (isOver) return endOf(reader)
      if (now >= until) throw tooLate(reader)
      await flight.changed(Math.min(TICK_MS, until - now))
    }
  } finally {
    if (!isStreaming) {
      signal.removeEventListener('abort', leave)
      leave()
    }
  }
}

const callerGone = (): GatewayError =>
  new GatewayError('upstream_reset', 'The caller went away before its answer')

const tooLate = ({ own }: FlightReader): GatewayError =>
  new GatewayError('upstream_timeout', 'The call that this one waited for did not answer in time', {
    headers: own,
  })

export const lostFlight = (own: Readonly<Record<string, string>>): GatewayError =>
  new GatewayError('upstream_reset', 'The call that this one waited for was lost', { headers: own })

function endOf({ call, flight, isMaker, mayTryAgain, own }: FlightReader): Response | null {
  const { end } = flight
  switch (end?.kind) {
    case 'whole':
      return isMaker ? asMade(flight, end.body) : renderMessage(call, end.body, own)
    case 'ended':
      return end.message === null ? null : renderMessage(call, end.message, own)
    case 'failed': {
      if (!isMaker) {
        return mayTryAgain && isPassing(end.failure) ? null : renderFlightFailure(end.failure, own)
      }
      if (end.failure.kind === 'refused') throw flight.thrown
      const { status, body } = end.failure
      return new Response(body, { status, headers: { ...flight.headers } })
    }
    default:
      return null
  }
}

const asMade = (flight: Flight, body: Uint8Array): Response =>
  new Response(body as Uint8Array<ArrayBuffer>, { headers: { ...flight.headers } })

function streamResponse(services: Services, reader: FlightReader): Response {
  const { call, flight, leave, isMaker, own } = reader
  const done = (): void => {
    call.scope.signal.removeEventListener('abort', leave)
    leave()
  }
  let at = 0
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          const piece = flight.pieces[at]
          if (piece !== undefined) {
            at += 1
            return controller.enqueue(piece)
          }
          if (flight.isOver(services.now())) {
            done()
            const last = lastWords(flight, call.scope.requestId, own)
            if (last !== null) controller.enqueue(last)
            return controller.close()
          }
          await flight.changed(TICK_MS)
        }
      },
      cancel: done,
    },
    { highWaterMark: 0 },
  )
  return new Response(body, {
    headers: isMaker
      ? { ...flight.headers }
      : { ...own, 'content-type': EVENT_STREAM, 'cache-control': 'no-cache' },
  })
}

/** Where a stream was cut: never a silent end. What Claude's own stream failed with is among its bytes. */
function lastWords(
  { end, pieces }: Flight,
  requestId: string,
  own: Readonly<Record<string, string>>,
): Uint8Array | null {
  if (end?.kind === 'ended') return null
  const scanner = new SseScanner(() => {})
  for (const piece of pieces) scanner.push(piece)
  return new TextEncoder().encode(errorEvent(lostFlight(own), requestId, scanner.atBoundary))
}
