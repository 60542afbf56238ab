// A stream put together again, and a Message told as a stream: each is the other's inverse.
import { MessageStream } from '@anthropic-ai/sdk/lib/MessageStream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SseScanner } from '../../../src/core/answering/sse.ts'
import { AnswerRecorder } from '../../../src/core/conversation/record-answer.ts'
import { replayMessage } from '../../../src/core/conversation/replay.ts'
import { captures } from '../../support/captures.ts'

const decoder = new TextDecoder()

function record(bytes: Uint8Array): string | null {
  const recorder = new AnswerRecorder()
  new SseScanner(({ type, data }) => {
    if (data !== null) recorder.push(type, decoder.decode(data))
  }).push(bytes)
  return recorder.message()
}

/** What the SDK makes of the same stream. */
async function sdkMessage(bytes: Uint8Array): Promise<unknown> {
  const lines: string[] = []
  new SseScanner(({ type, data }) => {
    if (type !== 'ping' && data !== null) lines.push(decoder.decode(data))
  }).push(bytes)
  const text = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(''))
  const body = new ReadableStream({
    start: (controller) => {
      controller.enqueue(text)
      controller.close()
    },
  })
  return MessageStream.fromReadableStream(body).finalMessage()
}

const toStream = (message: string): Uint8Array =>
  new TextEncoder().encode(
    [...replayMessage(message)]
      .map(({ type, data }) => `event: ${type}\ndata: ${data}\n\n`)
      .join(''),
  )

describe.skipIf(captures.length === 0)('a recorded stream', () => {
  it.each(captures)('$name is the Message that the SDK makes of it', async ({ bytes }) => {
    const message = record(bytes)
    const expected = await sdkMessage(bytes).catch(() => null)
    if (expected === null) return expect(message).toBeNull()
    expect(JSON.parse(message ?? 'null')).toMatchObject(strip(expected))
  })

  it.each(captures)('$name told again is the same Message', ({ bytes }) => {
    const message = record(bytes)
    if (message === null) return
    expect(JSON.parse(record(toStream(message)) ?? 'null')).toEqual(JSON.parse(message))
  })
})

/** The SDK adds fields of its own that Claude did not send. */
const strip = (value: unknown): object => {
  const { parsed_output: _, ...message } = value as Record<string, unknown>
  return JSON.parse(JSON.stringify(message, (key, part) => (key === 'parsed' ? undefined : part)))
}

const text = fc.string({ unit: 'binary' }).map((value) => value.toWellFormed())
const block = fc.oneof(
  fc.record({ type: fc.constant('text'), text }),
  fc.record({
    type: fc.constant('text'),
    text,
    citations: fc.array(fc.record({ cited_text: text })),
  }),
  fc.record({ type: fc.constant('thinking'), thinking: text, signature: text }),
  fc.record({ type: fc.constant('redacted_thinking'), data: text }),
  fc.record({
    type: fc.constantFrom('tool_use', 'server_tool_use', 'mcp_tool_use'),
    id: text,
    name: text,
    input: fc.dictionary(fc.string(), fc.jsonValue()),
  }),
  fc.record({ type: fc.constant('web_search_tool_result'), content: fc.array(fc.jsonValue()) }),
)
const message = fc.record({
  id: text,
  type: fc.constant('message'),
  role: fc.constant('assistant'),
  model: text,
  content: fc.array(block),
  stop_reason: fc.constantFrom('end_turn', 'tool_use', 'stop_sequence', null),
  stop_sequence: fc.constantFrom(null, 'STOP'),
  usage: fc.record({ input_tokens: fc.nat(), output_tokens: fc.nat() }),
})

describe('a Message', () => {
  it('told as a stream and recorded is the same Message', () => {
    fc.assert(
      fc.property(message, (value) => {
        const recorded = record(toStream(JSON.stringify(value)))
        expect(JSON.parse(recorded ?? 'null')).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it('keeps numbers that no double can hold, and the bytes of tool input', () => {
    const whole =
      '{"id":"m","type":"message","content":[{"type":"tool_use","id":"t","name":"n",' +
      '"input":{"big": 12345678901234567890.10, "a":1}}],"stop_reason":"tool_use","usage":{"output_tokens":3}}'
    expect(record(toStream(whole))).toContain('{"big": 12345678901234567890.10, "a":1}')
  })

  it('is told in pieces, none of which splits a character', () => {
    const long = '\u{1f600}'.repeat(200)
    const told = [
      ...replayMessage(JSON.stringify({ content: [{ type: 'text', text: long }], usage: {} })),
    ].filter(({ type }) => type === 'content_block_delta')
    expect(told.length).toBeGreaterThan(5)
    for (const { data } of told) expect(data.isWellFormed()).toBe(true)
  })

  it('that was cut short is none', () => {
    const recorder = new AnswerRecorder()
    const events = [...replayMessage('{"content":[{"type":"text","text":"hi"}],"usage":{}}')]
    for (const { type, data } of events.slice(0, -1)) recorder.push(type, data)
    expect(recorder.message()).toBeNull()
  })

  it('takes deltas of kinds that are not known yet by the common rule', () => {
    const recorder = new AnswerRecorder()
    recorder.push('message_start', '{"type":"message_start","message":{"id":"m","content":[]}}')
    recorder.push(
      'content_block_start',
      '{"index":0,"content_block":{"type":"compaction","content":"a","level":1}}',
    )
    recorder.push(
      'content_block_delta',
      '{"index":0,"delta":{"type":"compaction_delta","content":"b","level":2}}',
    )
    recorder.push('message_stop', '{"type":"message_stop"}')
    expect(JSON.parse(recorder.message() ?? '')).toEqual({
      id: 'm',
      content: [{ type: 'compaction', content: 'ab', level: 2 }],
    })
  })
})
