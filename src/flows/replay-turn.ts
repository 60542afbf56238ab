// A turn that was made before, asked for again: its answer as it was, streamed where the caller wants a stream.
import { fieldOf } from '../core/conversation/json-parts.ts'
import type { Services } from '../ports.ts'
import type { ClaimedTurn } from '../ports/sessions.ts'
import { EVENT_STREAM, replayStream } from './replay-stream.ts'
import type { AskedTurn } from './take-turn.ts'

export function replayTurn(
  _: Services,
  { key, said }: AskedTurn,
  { answer, turns }: Extract<ClaimedTurn, { kind: 'replay' }>,
): Response {
  const isStream = fieldOf(said.fields, 'stream') === 'true'
  return new Response(isStream ? replayStream(answer) : answer, {
    headers: {
      'content-type': isStream ? EVENT_STREAM : 'application/json',
      'sluice-session': key.id,
      'sluice-turn': String(turns),
    },
  })
}
