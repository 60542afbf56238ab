// A kept answer as the caller wants it: its bytes untouched, or told as a stream.
import { ageSeconds, type KeptAnswer } from '../../core/caching/kept-answer.ts'
import type { Call } from '../call.ts'
import { EVENT_STREAM, replayStream } from '../replay-stream.ts'

export interface KeptFacts {
  readonly now: number
  readonly headers: Readonly<Record<string, string>>
}

export function renderKept(call: Call, answer: KeptAnswer, { now, headers }: KeptFacts): Response {
  return renderMessage(call, answer.body, {
    ...headers,
    age: String(ageSeconds(answer, now)),
  })
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A whole Message in the form that was asked for. */
export function renderMessage(
  call: Call,
  body: Uint8Array,
  own: Readonly<Record<string, string>>,
): Response {
  if (!call.isStream) {
    return new Response(body as Uint8Array<ArrayBuffer>, {
      headers: { ...own, 'content-type': 'application/json' },
    })
  }
  return new Response(replayStream(decoder.decode(body)), {
    headers: { ...own, 'content-type': EVENT_STREAM, 'cache-control': 'no-cache' },
  })
}
