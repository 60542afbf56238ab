import { describe, expect, test } from 'vitest'
import { none, type Usage } from '../../../src/core/answering/usage.ts'
import { openMeter } from '../../../src/flows/meter.ts'
import { captures, splitEvery } from '../../support/captures.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

interface Block {
  readonly usage?: Readonly<Record<string, unknown>>
  readonly message?: { readonly usage: Readonly<Record<string, unknown>> }
  readonly content_block?: { readonly type: string }
  readonly delta?: {
    readonly text?: string
    readonly thinking?: string
    readonly partial_json?: string
  }
}

/** The last word on each count, by a reader that parses every line. */
function naive(bytes: Uint8Array): { usage: Usage; produced: number; events: number } {
  let counts: Readonly<Record<string, unknown>> = {}
  let produced = 0
  let events = 0
  for (const line of new TextDecoder().decode(bytes).split('\n')) {
    if (!line.startsWith('data: ')) continue
    events += 1
    const { usage, message, delta, content_block: block } = JSON.parse(line.slice(6)) as Block
    const said = Object.entries(usage ?? message?.usage ?? {}).filter(([, value]) => value !== null)
    counts = { ...counts, ...Object.fromEntries(said) }
    // A tool call's frame, which no delta carries.
    if (block?.type.endsWith('tool_use')) produced += 160
    produced += encode(
      (delta?.text ?? '') + (delta?.thinking ?? '') + (delta?.partial_json ?? ''),
    ).length
  }
  const hour = (counts['cache_creation'] as { ephemeral_1h_input_tokens: number } | undefined)
    ?.ephemeral_1h_input_tokens
  return {
    produced,
    events,
    usage: {
      ...none,
      inputTokens: Number(counts['input_tokens']),
      outputTokens: Number(counts['output_tokens']),
      cacheReadTokens: Number(counts['cache_read_input_tokens'] ?? 0),
      cacheWrite1hTokens: hour ?? 0,
      cacheWrite5mTokens: Number(counts['cache_creation_input_tokens'] ?? 0) - (hour ?? 0),
    },
  }
}

describe.skipIf(captures.length === 0)('a real stream', () => {
  test.each(captures.map(({ name, bytes }) => [name, bytes] as const))(
    '%s is counted alike however it is split',
    (_name, bytes) => {
      const expected = naive(bytes)
      expect(expected.usage.outputTokens).toBeGreaterThan(0)
      for (const size of [1, 3, 300, bytes.length]) {
        const meter = openMeter('messages')
        for (const chunk of splitEvery(bytes, size)) meter.push(chunk)
        expect(meter).toMatchObject({
          events: expected.events,
          isComplete: true,
          hasContent: true,
          errorType: null,
          atBoundary: true,
        })
        expect(meter.usage()).toEqual(expected.usage)
      }
    },
  )

  test('that is cut before its last usage is billed for what was produced', () => {
    for (const { bytes } of captures) {
      const whole = naive(bytes)
      const text = new TextDecoder().decode(bytes)
      const cut = text.lastIndexOf('event: message_delta')
      const meter = openMeter('messages')
      meter.push(encode(text.slice(0, cut)))
      const usage = meter.usage()
      expect(usage).toMatchObject({
        estimated: true,
        inputTokens: naive(encode(text.slice(0, cut))).usage.inputTokens,
        outputTokens: Math.max(
          Math.ceil(whole.produced / 4),
          naive(encode(text.slice(0, cut))).usage.outputTokens,
        ),
      })
      expect(meter.isComplete).toBe(false)
    }
  })
})

describe('a stream of the Messages API', () => {
  const start =
    'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":10,"output_tokens":1}}}\n\n'
  const delta = (text: string): string =>
    `event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":${JSON.stringify(text)}}}\n\n`
  const read = (text: string) => {
    const meter = openMeter('messages')
    meter.push(encode(text))
    return meter
  }

  test('has no content before its first block, and pings are none', () => {
    expect(read(`${start}event: ping\ndata: {}\n\n`)).toMatchObject({
      events: 2,
      hasContent: false,
    })
    expect(read(start + delta('a')).hasContent).toBe(true)
  })

  test('that breaks off with an error says which, and bills what came before', () => {
    const error =
      'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    const meter = read(start + delta('x'.repeat(400)) + error)
    expect(meter).toMatchObject({ errorType: 'overloaded_error', isComplete: false })
    expect(meter.usage()).toMatchObject({ inputTokens: 10, outputTokens: 100, estimated: true })
  })

  test('with unreadable or unknown events goes on', () => {
    const odd =
      'event: content_block_delta\ndata: {broken\n\nevent: new_event\ndata: 7\n\nevent: message_delta\ndata: null\n\n'
    const meter = read(`${start}${odd}event: error\ndata: not json\n\n`)
    expect(meter).toMatchObject({ events: 5, errorType: 'api_error' })
    expect(meter.usage()).toMatchObject({ inputTokens: 10 })
  })
})

describe('a stream of chat/completions', () => {
  const chunk = (content: unknown): string => `data: ${JSON.stringify(content)}\n\n`
  const text = (content: string): string => chunk({ choices: [{ delta: { content } }] })
  const read = (stream: string) => {
    const meter = openMeter('chat_completions')
    for (const part of splitEvery(encode(stream), 5)) meter.push(part)
    return meter
  }

  test('gives its usage where it was asked for', () => {
    const usage = chunk({ choices: [], usage: { prompt_tokens: 12, completion_tokens: 3 } })
    const meter = read(`${text('Hi')}${usage}data: [DONE]\n\n`)
    expect(meter).toMatchObject({ isComplete: true, hasContent: true })
    expect(meter.usage()).toEqual({ ...none, inputTokens: 12, outputTokens: 3 })
  })

  test('is estimated by its text where it was not', () => {
    expect(read(`${text('x'.repeat(100))}data: [DONE]\n\n`).usage()).toMatchObject({
      outputTokens: 25,
      estimated: true,
    })
  })
})
