// A turn that was made before, asked for again: its answer as it was, streamed where the caller wants a stream.
import { fieldOf } from '../core/conversation/json-parts.ts'
import { replayMessage } from '../core/conversation/replay.ts'
import type { Services } from '../ports.ts'
import type { ClaimedTurn } from '../ports/sessions.ts'
import type { AskedTurn } from './take-turn.ts'

export function replayTurn(
  _: Services,
  { key, said }: AskedTurn,
  { answer, turns }: Extract<ClaimedTurn, { kind: 'replay' }>,
): Response {
  const isStream = fieldOf(said.fields, 'stream') === 'true'
  return new Response(isStream ? streamOf(answer) : answer, {
    headers: {
      'content-type': isStream ? 'text/event-stream; charset=utf-8' : 'application/json',
      'sluice-session': key.id,
      'sluice-turn': String(turns),
    },
  })
}

/** One event a read, so that nothing more than the caller takes is made. */
function streamOf(message: string): ReadableStream<Uint8Array> {
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
