// A whole Message as a stream of Claude's events.
import { replayMessage } from '../core/conversation/replay.ts'

/** One event a read, so that nothing more than the caller takes is made. */
export function replayStream(message: string): ReadableStream<Uint8Array> {
  const events = replayMessage(message)
  const encoder = new TextEncoder()
  return new ReadableStream(
    {
      pull(controller) {
        const next = events.next()
        if (next.done === true) return controller.close()
        const { type, data } = next.value
        controller.enqueue(encoder.encode(`event: ${type}\ndata: ${data}\n\n`))
      },
    },
    { highWaterMark: 0 },
  )
}

export const EVENT_STREAM = 'text/event-stream; charset=utf-8'
