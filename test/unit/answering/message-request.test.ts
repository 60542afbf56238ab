import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  scanMessageRequest,
  type RequestShape,
} from '../../../src/core/answering/message-request.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const messages = [{ role: 'user', content: 'Hi' }]
const minimal = { model: 'claude-sonnet-5-5', max_tokens: 10, messages }
const scan = (body: unknown, shape?: RequestShape) =>
  scanMessageRequest(encode(JSON.stringify(body)), shape)
const factsOf = (body: unknown, shape?: RequestShape) => {
  const result = scan(body, shape)
  if (result.kind === 'invalid') throw new Error(result.message)
  return result.facts
}

describe('a valid body', () => {
  test('gives the few facts that the gateway needs', () => {
    const body = {
      ...minimal,
      stream: true,
      metadata: { user_id: 'u"1é', other: [] },
      service_tier: 'auto',
      thread: { type: 'continue', previous_message_id: 'msg_1' },
    }
    expect(factsOf(body)).toMatchObject({
      model: 'claude-sonnet-5-5',
      stream: true,
      maxTokens: 10,
      thread: { kind: 'continue', previousMessageId: 'msg_1' },
      userId: 'u"1é',
      serviceTier: 'auto',
      includeUsage: false,
      estimatedInputTokens: Math.ceil(encode(JSON.stringify(body)).length / 4),
    })
  })

  test('says where its parts stand, so that the model may be another', () => {
    const body = { system: 'Be brief', tools: [], ...minimal }
    const bytes = encode(JSON.stringify(body))
    const { modelSpan, prompt } = factsOf(body)
    const at = (span: { start: number; end: number } | null) =>
      span && new TextDecoder().decode(bytes.subarray(span.start, span.end))
    expect(at(modelSpan)).toBe('"claude-sonnet-5-5"')
    expect([at(prompt.system), at(prompt.tools)]).toEqual(['"Be brief"', '[]'])
    expect(at(prompt.messages)).toBe(JSON.stringify(messages))
  })

  test('may leave out or null what is optional, and may hold what we do not know', () => {
    const body = { ...minimal, stream: null, thread: null, metadata: null, service_tier: null }
    expect(factsOf({ ...body, future_field: { a: [1, { model: 'x' }] } })).toMatchObject({
      stream: false,
      thread: null,
      userId: null,
      serviceTier: null,
    })
  })

  test('may warm the cache with max_tokens 0, or write the number as 1e3', () => {
    expect(factsOf({ ...minimal, max_tokens: 0 }).maxTokens).toBe(0)
    const loose = `{"model":"m","messages":[{}],"max_tokens":1e3}`
    expect(scanMessageRequest(encode(loose))).toMatchObject({ facts: { maxTokens: 1000 } })
  })

  test('creates a thread, or names a kind that we do not know', () => {
    expect(factsOf({ ...minimal, thread: { type: 'create' } }).thread).toEqual({ kind: 'create' })
    expect(factsOf({ ...minimal, thread: { type: 'fork' } }).thread).toEqual({ kind: 'unknown' })
  })

  test('gives the same model as JSON.parse for any text and any key order', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
        fc.boolean(),
        fc.nat(1_000_000),
        fc.jsonValue(),
        (model, stream, max_tokens, extra) => {
          const body = { extra, max_tokens, messages: [extra], stream, model }
          expect(factsOf(body)).toMatchObject({ model, stream, maxTokens: max_tokens })
        },
      ),
    )
  })

  test('is guessed at four bytes a token, images at what an image costs', () => {
    const data = Buffer.alloc(300_000, 9).toString('base64')
    const facts = factsOf({ ...minimal, messages: [{ role: 'user', content: [{ data }] }] })
    expect(facts.estimatedInputTokens).toBeGreaterThan(1600)
    expect(facts.estimatedInputTokens).toBeLessThan(6000)
  })
})

describe('other routes', () => {
  test('count_tokens needs no max_tokens and never streams', () => {
    expect(factsOf({ model: 'm', messages, stream: true }, 'count_tokens')).toMatchObject({
      maxTokens: null,
      stream: false,
    })
  })

  test('chat/completions may leave max_tokens out or use its newer name, and may ask for usage', () => {
    expect(factsOf({ model: 'm', messages }, 'chat_completions').maxTokens).toBeNull()
    const body = {
      model: 'm',
      messages,
      max_completion_tokens: 7,
      stream: true,
      stream_options: { include_usage: true },
      metadata: 'whatever OpenAI says',
    }
    expect(factsOf(body, 'chat_completions')).toMatchObject({
      maxTokens: 7,
      stream: true,
      includeUsage: true,
    })
  })
})

describe('an invalid body', () => {
  test.each<[string, unknown, string]>([
    ['no model', { ...minimal, model: undefined }, 'model: Field required'],
    ['a null model', { ...minimal, model: null }, 'model: Field required'],
    ['a number as model', { ...minimal, model: 4 }, 'model: Input should be a valid string'],
    ['an empty model', { ...minimal, model: '' }, 'model: String should have at least 1 character'],
    [
      'a long model',
      { ...minimal, model: 'm'.repeat(257) },
      'model: String should have at most 256 characters',
    ],
    ['a huge model', { ...minimal, model: 'm'.repeat(5000) }, 'model: Too long'],
    ['no max_tokens', { ...minimal, max_tokens: undefined }, 'max_tokens: Field required'],
    ['a float', { ...minimal, max_tokens: 1.5 }, 'max_tokens: Input should be a valid integer'],
    ['a text', { ...minimal, max_tokens: '10' }, 'max_tokens: Input should be a valid integer'],
    [
      'a huge number',
      { ...minimal, max_tokens: 1e300 },
      'max_tokens: Input should be a valid integer',
    ],
    [
      'less than 0',
      { ...minimal, max_tokens: -1 },
      'max_tokens: Input should be greater than or equal to 0',
    ],
    ['a text as stream', { ...minimal, stream: 'true' }, 'stream: Input should be a valid boolean'],
    ['a number as stream', { ...minimal, stream: 1 }, 'stream: Input should be a valid boolean'],
    ['no messages', { ...minimal, messages: undefined }, 'messages: Field required'],
    ['messages as text', { ...minimal, messages: 'Hi' }, 'messages: Input should be a valid list'],
    ['null messages', { ...minimal, messages: null }, 'messages: Input should be a valid list'],
    ['empty messages', { ...minimal, messages: [] }, 'messages: at least one message is required'],
    ['a list as thread', { ...minimal, thread: [] }, 'thread: Input should be a valid dictionary'],
    ['a thread of no type', { ...minimal, thread: {} }, 'thread.type: Field required'],
    [
      'a thread that continues nothing',
      { ...minimal, thread: { type: 'continue' } },
      'thread.previous_message_id: Field required',
    ],
    [
      'a text as metadata',
      { ...minimal, metadata: 'u' },
      'metadata: Input should be a valid dictionary',
    ],
    [
      'a number as user',
      { ...minimal, metadata: { user_id: 1 } },
      'metadata.user_id: Input should be a valid string',
    ],
    ['a list', [minimal], 'The request body should be a JSON object'],
    ['null', null, 'The request body should be a JSON object'],
  ])('%s', (_name, body, message) => {
    expect(scan(body)).toEqual({ kind: 'invalid', reason: 'invalid_request', message })
  })

  test.each([
    [
      '{"model":"a","model":"b","max_tokens":1,"messages":[1]}',
      'model: Field given more than once',
    ],
    [
      String.raw`{"model":"a","mod\u0065l":"b","max_tokens":1,"messages":[1]}`,
      'model: Field given more than once',
    ],
    [
      '{"model":"a","max_tokens":1,"messages":[1],"thread":{"type":"create","type":"continue"}}',
      'thread.type: Field given more than once',
    ],
    [
      '{"model":"a","max_tokens":1,"messages":[1],"__proto__":{"model":"b"}}',
      '__proto__: Extra inputs are not permitted',
    ],
    [
      '{"model":"a","max_tokens":1,"messages":[ \n ]}',
      'messages: at least one message is required',
    ],
  ])('%s', (text, message) => {
    expect(scanMessageRequest(encode(text))).toEqual({
      kind: 'invalid',
      reason: 'invalid_request',
      message,
    })
  })

  test('names the line and the column where JSON breaks', () => {
    expect(scanMessageRequest(encode('{\n "model": "a",\n "stream": tru }'))).toEqual({
      kind: 'invalid',
      reason: 'invalid_json',
      message:
        'The request body is not valid JSON: unexpected character: line 3 column 12 (byte 28)',
    })
    expect(scanMessageRequest(new Uint8Array())).toMatchObject({
      reason: 'invalid_json',
      message:
        'The request body is not valid JSON: unexpected end of data: line 1 column 1 (byte 0)',
    })
  })
})
