// Isolates that share what Redis would keep, and a Claude that a test plays: for what the response cache does.
import { memoryAnswerStore } from '../../src/adapters/memory/answer-store.ts'
import type { AnswerStore } from '../../src/ports/answers.ts'
import { MODEL } from './claude-call.ts'
import { type House, type HouseOptions, openHouse } from './house.ts'

export const CACHED = { 'sluice-cache-ttl': '60' }

export interface CacheWorld {
  readonly houses: readonly House[]
  readonly store: AnswerStore
  /** Calls that reached Claude, of all isolates. */
  sent(): number
  /** Calls of which the store has heard the end. */
  landed(): number
  stop(): void
}

export async function openCacheWorld(
  isolates: number,
  options: HouseOptions & { readonly around?: (store: AnswerStore) => AnswerStore },
): Promise<CacheWorld> {
  const memory = memoryAnswerStore({ now: () => Date.now() })
  let landed = 0
  const own: AnswerStore = {
    ...memory,
    land: async (...given) => {
      const isKept = await memory.land(...given)
      landed += 1
      return isKept
    },
  }
  const store = options.around?.(own) ?? own
  const opened = Array.from({ length: isolates }, () => openHouse({ ...options, answers: store }))
  const houses = await Promise.all(opened)
  return {
    houses,
    store,
    sent: () => houses.reduce((sum, house) => sum + house.sent.length, 0),
    landed: () => landed,
    stop: () => {
      for (const house of houses) house.stop()
    },
  }
}

export const answerFields = (fields: object = {}) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: MODEL,
  content: [{ type: 'text', text: 'Hello' }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 1_000, output_tokens: 100 },
  ...fields,
})

/** Spaces are Claude's to put: they must come back. */
export const answerText = (fields: object = {}): string =>
  JSON.stringify(answerFields(fields), null, 1)

export const answered = (fields: object = {}): Response =>
  new Response(answerText(fields), { headers: { 'content-type': 'application/json' } })

const line = (type: string, data: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`

/** What the answer is as a stream: its texts in pieces, and its end once that resolves. */
export function streamedAnswer(
  pieces: readonly string[] = ['Hel', 'lo'],
  until: Promise<unknown> = Promise.resolve(),
): Response {
  const encoder = new TextEncoder()
  const { usage, ...rest } = answerFields({ content: [], stop_reason: null })
  const body = new ReadableStream<Uint8Array>({
    start: async (controller) => {
      const say = (type: string, data: object): void =>
        controller.enqueue(encoder.encode(line(type, data)))
      say('message_start', { message: { ...rest, usage: { ...usage, output_tokens: 1 } } })
      say('content_block_start', { index: 0, content_block: { type: 'text', text: '' } })
      for (const text of pieces)
        say('content_block_delta', { index: 0, delta: { type: 'text_delta', text } })
      await until
      try {
        say('content_block_stop', { index: 0 })
        say('message_delta', {
          delta: { stop_reason: 'end_turn', stop_sequence: null },
          usage: { output_tokens: 100 },
        })
        say('message_stop', {})
        controller.close()
      } catch {
        // Nobody reads it any more.
      }
    },
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}

export const textsOf = (stream: string): string =>
  [...stream.matchAll(/"text_delta","text":"([^"]*)"/g)].map(([, text]) => text).join('')
