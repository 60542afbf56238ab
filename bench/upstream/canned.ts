// What the benchmark's Claude says: the shape, the headers and the padding of real answers, made once.
import { stampOf } from '../clock.ts'

/** As many headers as Claude sends; the limits are so wide that no gate slows down for them. */
function answerHeaders(type: string): string {
  const reset = new Date(Date.now() + 1_000).toISOString().replace(/\.\d+/, '')
  const limits = ['requests', 'tokens', 'input-tokens', 'output-tokens'].flatMap((dimension) => [
    `anthropic-ratelimit-${dimension}-limit: 400000000`,
    `anthropic-ratelimit-${dimension}-remaining: 399999000`,
    `anthropic-ratelimit-${dimension}-reset: ${reset}`,
  ])
  return [
    'HTTP/1.1 200 OK',
    'date: Sat, 21 Nov 2026 10:00:00 GMT',
    `content-type: ${type}`,
    ...limits,
    'request-id: req_011CbenchBenchBenchBench',
    'anthropic-organization-id: 7d0b3c1e-1111-4222-8333-444455556666',
    'strict-transport-security: max-age=31536000; includeSubDomains; preload',
    'via: 1.1 google',
    'cf-cache-status: DYNAMIC',
    'x-robots-tag: none',
    'server: cloudflare',
    'cf-ray: 9a1b2c3d4e5f6071-FRA',
  ].join('\r\n')
}

const TEXT = 'The gate lets one more call in when a slot is free and no window is full. '.repeat(10)

const MESSAGE = JSON.stringify({
  model: 'claude-haiku-4-5-20251001',
  id: 'msg_01BenchBenchBenchBenchBe',
  type: 'message',
  role: 'assistant',
  content: [{ type: 'text', text: TEXT }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: {
    input_tokens: 25,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    output_tokens: 180,
    service_tier: 'standard',
    inference_geo: 'not_available',
  },
})

export const jsonAnswer = (): Buffer =>
  Buffer.from(
    `${answerHeaders('application/json')}\r\ncontent-length: ${MESSAGE.length}\r\n\r\n${MESSAGE}`,
  )

/** One HTTP chunk for each event, as Claude's edge sends them. */
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`

const event = (type: string, data: object, padding = 0): string =>
  chunk(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}${' '.repeat(padding)}\n\n`)

const usage = {
  input_tokens: 25,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
  output_tokens: 1,
  service_tier: 'standard',
}

export const streamHead = (): Buffer =>
  Buffer.from(
    `${answerHeaders('text/event-stream; charset=utf-8')}\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n${event(
      'message_start',
      {
        message: {
          model: 'claude-haiku-4-5-20251001',
          id: 'msg_01BenchBenchBenchBenchBe',
          type: 'message',
          role: 'assistant',
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage,
        },
      },
      12,
    )}${event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }, 5)}`,
  )

export const streamTail = (deltas: number): Buffer =>
  Buffer.from(
    `${event('content_block_stop', { index: 0 }, 3)}${event(
      'message_delta',
      {
        delta: { stop_reason: 'end_turn', stop_sequence: null },
        usage: { ...usage, output_tokens: deltas },
      },
      9,
    )}${event('message_stop', {}, 14)}0\r\n\r\n`,
  )

const DELTA = event(
  'content_block_delta',
  { index: 0, delta: { type: 'text_delta', text: `@${stampOf(0)} token` } },
  11,
)
const STAMP_AT = DELTA.indexOf('@') + 1

/** One event with the time at which it is written. */
export const delta = (us: number): string =>
  DELTA.slice(0, STAMP_AT) + stampOf(us) + DELTA.slice(STAMP_AT + stampOf(0).length)
