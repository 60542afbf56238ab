// Passes a stream's bytes on untouched, once each through JavaScript, while the meter counts them. Ends exactly
// once, and tells how: complete, broken (said as `event: error`, never a silent end), or left by its caller.
import { errorEvent, GatewayError } from '../core/errors.ts'
import type { OpenStream } from './send-attempt.ts'
import type { BreakCause } from './watch.ts'

export type StreamEnd =
  | { readonly kind: 'complete' }
  | { readonly kind: 'broken'; readonly cause: BreakCause }
  | { readonly kind: 'caller_gone' }

/** A comment by the SSE standard: clients ignore it, proxies see bytes. */
const COMMENT = new TextEncoder().encode(': waiting for Claude\n\n')

export interface RelayOptions {
  readonly requestId: string
  onEnd(end: StreamEnd): void
}

export function relayStream(stream: OpenStream, options: RelayOptions): ReadableStream<Uint8Array> {
  const { reader, meter, watch } = stream
  const head = [...stream.head]
  let ended = false
  let isPulling = false

  const end = (result: StreamEnd): void => {
    if (ended) return
    ended = true
    watch.stop()
    options.onEnd(result)
  }
  const breakOff = (
    controller: ReadableStreamDefaultController<Uint8Array>,
    cause: BreakCause,
  ): void => {
    if (!ended) {
      const event = errorEvent(midStreamError(cause), options.requestId, meter.atBoundary)
      controller.enqueue(new TextEncoder().encode(event))
      controller.close()
    }
    end({ kind: 'broken', cause })
  }
  const finish = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    if (meter.errorType !== null) {
      // Claude said itself what went wrong; its bytes have been passed on.
      controller.close()
      end({ kind: 'broken', cause: 'error_event' })
    } else if (meter.isComplete) {
      controller.close()
      end({ kind: 'complete' })
    } else breakOff(controller, 'cut')
  }

  return new ReadableStream<Uint8Array>(
    {
      start: (controller) =>
        watch.tellSilence(() => {
          // Only where a caller waits for bytes, and never inside an event.
          if (isPulling && !ended && meter.atBoundary) controller.enqueue(COMMENT)
        }),
      pull: async (controller) => {
        const first = head.shift()
        if (first !== undefined) return controller.enqueue(first)
        isPulling = true
        try {
          const { value, done } = await reader.read()
          if (ended) return
          if (done) return finish(controller)
          watch.touch()
          meter.push(value)
          controller.enqueue(value)
        } catch {
          const { interruption } = watch
          if (interruption === 'caller_gone') {
            end({ kind: 'caller_gone' })
            controller.error(new Error('The caller is gone'))
          } else if (meter.isComplete) finish(controller)
          else breakOff(controller, interruption ?? 'cut')
        } finally {
          isPulling = false
        }
      },
      cancel: () => {
        watch.interrupt('caller_gone')
        end(meter.isComplete ? { kind: 'complete' } : { kind: 'caller_gone' })
        reader.cancel().catch(() => {})
      },
    },
    { highWaterMark: 0 },
  )
}

/** Said where a call must end because its account's gate did not confirm its slot in time. */
export const LEASE_LOST = "The account's gate cannot be reached, and the slot of this call is over"

function midStreamError(cause: BreakCause): GatewayError {
  if (cause === 'lease_lost') return new GatewayError('gate_unavailable', LEASE_LOST)
  if (cause.endsWith('_timeout')) {
    const what = cause === 'total_timeout' ? 'took longer than allowed' : 'fell silent'
    return new GatewayError('upstream_timeout', `Claude's stream ${what}`)
  }
  return new GatewayError('upstream_reset', "Claude's stream was cut before its end")
}
