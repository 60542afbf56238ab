import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  estimateOutput,
  none,
  producedBytesOf,
  readOpenAiUsage,
  readUsage,
  utf8Length,
} from '../../../src/core/answering/usage.ts'

describe('readUsage', () => {
  test('reads an answer with its cache writes split by how long they live', () => {
    const usage = {
      input_tokens: 10,
      output_tokens: 20,
      cache_creation_input_tokens: 300,
      cache_read_input_tokens: 4000,
      cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 },
      inference_geo: 'us',
    }
    expect(readUsage(usage)).toEqual({
      ...none,
      inputTokens: 10,
      outputTokens: 20,
      cacheWrite5mTokens: 100,
      cacheWrite1hTokens: 200,
      cacheReadTokens: 4000,
      usOnly: true,
    })
  })

  test('takes a write without a split for one of five minutes', () => {
    expect(readUsage({ cache_creation_input_tokens: 7 })).toMatchObject({
      cacheWrite5mTokens: 7,
      cacheWrite1hTokens: 0,
    })
  })

  test('lays a later count over an earlier one, field by field: both are cumulative', () => {
    const start = readUsage({
      input_tokens: 10,
      output_tokens: 1,
      cache_read_input_tokens: 5,
      cache_creation_input_tokens: 30,
      cache_creation: { ephemeral_1h_input_tokens: 30, ephemeral_5m_input_tokens: 0 },
      inference_geo: 'us',
    })
    expect(readUsage({ output_tokens: 50 }, start)).toEqual({ ...start, outputTokens: 50 })
    const grown = readUsage({ input_tokens: 90, cache_creation_input_tokens: 45 }, start)
    expect(grown).toMatchObject({ inputTokens: 90, cacheWrite1hTokens: 30, cacheWrite5mTokens: 15 })
    expect(readUsage({ input_tokens: null, output_tokens: 50 }, start).inputTokens).toBe(10)
  })

  test('adds what a compaction took, once, since it is not in the totals', () => {
    const compaction = { type: 'compaction', input_tokens: 1000, output_tokens: 100 }
    const delta = {
      output_tokens: 50,
      iterations: [compaction, { type: 'message', input_tokens: 9, output_tokens: 9 }, compaction],
    }
    const start = readUsage({ input_tokens: 10, output_tokens: 1 })
    const first = readUsage(delta, start)
    expect(first).toMatchObject({ inputTokens: 2010, outputTokens: 250 })
    expect(readUsage(delta, first)).toEqual(first)
    expect(readUsage({ output_tokens: 60 }, first)).toMatchObject({
      inputTokens: 2010,
      outputTokens: 260,
    })
  })

  test('never gives a count that is not one, whatever it reads', () => {
    const counts = fc.oneof(fc.anything(), fc.double(), fc.nat(), fc.constantFrom(-1, 1e300, '7'))
    const usage = fc.record(
      {
        input_tokens: counts,
        output_tokens: counts,
        cache_creation_input_tokens: counts,
        cache_read_input_tokens: counts,
        cache_creation: fc.record({ ephemeral_1h_input_tokens: counts }),
        iterations: fc.array(fc.record({ type: fc.constant('compaction'), input_tokens: counts })),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(usage, fc.anything()), { maxLength: 3 }), (values) => {
        const read = values.reduce<typeof none>((before, value) => readUsage(value, before), none)
        const { compaction, usOnly: _usOnly, estimated: _estimated, ...tokens } = read
        for (const tokensOf of [...Object.values(tokens), ...Object.values(compaction)]) {
          expect(Number.isSafeInteger(tokensOf) && tokensOf >= 0).toBe(true)
        }
      }),
    )
  })
})

describe('readOpenAiUsage', () => {
  test('takes cached tokens out of the prompt, which counts them in', () => {
    const usage = {
      prompt_tokens: 100,
      completion_tokens: 7,
      prompt_tokens_details: { cached_tokens: 60 },
    }
    expect(readOpenAiUsage(usage)).toEqual({
      ...none,
      inputTokens: 40,
      cacheReadTokens: 60,
      outputTokens: 7,
    })
  })

  test('believes no more cached tokens than the prompt has', () => {
    const usage = {
      prompt_tokens: 10,
      completion_tokens: 7,
      prompt_tokens_details: { cached_tokens: 60 },
    }
    expect(readOpenAiUsage(usage)).toMatchObject({ inputTokens: 0, cacheReadTokens: 10 })
  })

  test.each([
    null,
    undefined,
    'x',
    {},
    { prompt_tokens: 1 },
    { prompt_tokens: -1, completion_tokens: 1 },
  ])('is null for %j', (usage) => {
    expect(readOpenAiUsage(usage)).toBeNull()
  })
})

describe('an answer that did not end', () => {
  test('is counted by what was produced, but never below what Claude counted', () => {
    expect(estimateOutput({ ...none, outputTokens: 1 }, 401)).toMatchObject({
      outputTokens: 101,
      estimated: true,
    })
    expect(estimateOutput({ ...none, outputTokens: 500 }, 401).outputTokens).toBe(500)
  })

  test('counts text, thinking and tool input, and nothing else', () => {
    const deltas = [
      { text: 'abé' },
      { thinking: '12' },
      { partial_json: '{' },
      { signature: 'xxxxx' },
    ]
    expect(deltas.map((delta) => producedBytesOf({ delta }))).toEqual([4, 2, 1, 0])
    expect(producedBytesOf(null)).toBe(0)
  })

  test('counts the frame of a tool call, but not of a text or of what a tool gave back', () => {
    const types = ['tool_use', 'server_tool_use', 'mcp_tool_use', 'text', 'web_search_tool_result']
    const bytes = types.map((type) => producedBytesOf({ content_block: { type } }))
    expect(bytes).toEqual([160, 160, 160, 0, 0])
  })

  test('counts bytes as UTF-8 does', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length)
      }),
    )
  })
})
