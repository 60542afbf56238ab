// Batches and files as their tenants see them: what Claude's own JSON says, pages, bills, and files that a body names.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findFileIds } from '../../../src/core/answering/file-references.ts'
import { BatchMeter } from '../../../src/core/owned/batch-meter.ts'
import { printOwnedList, readOwnedPage } from '../../../src/core/owned/list-page.ts'
import { isOwnedId, readSeen, rewriteResultsUrl } from '../../../src/core/owned/owned-object.ts'

const encoder = new TextEncoder()

describe('the address of the results', () => {
  const batch = (url: string | null) =>
    `{ "id":"msgbatch_1",  "results_url" : ${JSON.stringify(url)}, "more": "x" }`

  it('becomes ours, and nothing else of the text is touched', () => {
    const json = batch('https://api.anthropic.com/v1/messages/batches/msgbatch_1/results')
    expect(rewriteResultsUrl(json, 'msgbatch_1', 'https://sluice.test')).toBe(
      batch('https://sluice.test/v1/messages/batches/msgbatch_1/results'),
    )
  })

  it('that is not there stays away', () => {
    expect(rewriteResultsUrl(batch(null), 'msgbatch_1', 'https://x')).toBe(batch(null))
    expect(rewriteResultsUrl('{}', 'msgbatch_1', 'https://x')).toBe('{}')
  })

  it('is replaced whatever stands in it, a dollar sign or a quote too', () => {
    const json = batch(String.raw`https://a/$&"\x`)
    const rewritten = rewriteResultsUrl(json, 'msgbatch_1', 'https://$&.test')
    expect(JSON.parse(rewritten)).toMatchObject({
      results_url: 'https://$&.test/v1/messages/batches/msgbatch_1/results',
      more: 'x',
    })
  })
})

describe('what Claude shows', () => {
  it.each([
    ['batch', { id: 'msgbatch_1', processing_status: 'in_progress' }, [false, false, null]],
    ['batch', { id: 'msgbatch_1', processing_status: 'canceling' }, [false, false, null]],
    [
      'batch',
      { id: 'msgbatch_1', processing_status: 'ended', expires_at: '2026-01-01T00:00:00Z' },
      [true, true, null],
    ],
    ['file', { id: 'file_1' }, [true, false, null]],
    ['file', { id: 'file_1', expires_at: '1970-01-01T00:00:01Z' }, [true, false, 1_000]],
    ['file', { id: 'file_1', expires_at: 'never' }, [true, false, null]],
  ] as const)('of a %s: %j', (kind, json, [isFinal, hasEnded, expiresAt]) => {
    expect(readSeen(kind, JSON.stringify(json))).toMatchObject({ isFinal, hasEnded, expiresAt })
  })

  it.each(['', 'null', '[]', '"x"', '{}', '{"id":5}', '{"id":"file_1"}', '{"id":"msgbatch_a b"}'])(
    'and is no batch is told apart: %s',
    (json) => expect(readSeen('batch', json)).toBeNull(),
  )

  it('takes no id for another kind, and none that could lead elsewhere', () => {
    expect(isOwnedId('file', 'file_011')).toBe(true)
    for (const id of ['msgbatch_1', 'file_', 'file_a/../b', 'file_%2e', 'file_1?x', 'xfile_1']) {
      expect(isOwnedId('file', id)).toBe(false)
    }
  })
})

describe('a page', () => {
  it.each([
    [{}, { limit: 20, afterId: null, beforeId: null }],
    [
      { limit: '3', after_id: 'a' },
      { limit: 3, afterId: 'a', beforeId: null },
    ],
    [{ page: 'b' }, { limit: 20, afterId: 'b', beforeId: null }],
    [
      { before_id: 'c', unknown: 'x' },
      { limit: 20, afterId: null, beforeId: 'c' },
    ],
  ])('is read from %j', (query, page) => {
    expect(readOwnedPage(query as Record<string, string>)).toEqual({ kind: 'page', page })
  })

  it.each([{ limit: '0' }, { limit: '1001' }, { limit: '1.5' }, { limit: '-1' }, { limit: '' }])(
    'is refused: %j',
    (query) => expect(readOwnedPage(query).kind).toBe('invalid'),
  )

  it('is printed with its own ends, each entry as Claude wrote it', () => {
    const entries = [
      { id: 'b', shown: '{"id": "b"}' },
      { id: 'a', shown: '{ "id":"a" }' },
    ]
    expect(printOwnedList(entries, true)).toBe(
      '{"data":[{"id": "b"},{ "id":"a" }],"has_more":true,"first_id":"b","last_id":"a","next_page":"a"}',
    )
    expect(JSON.parse(printOwnedList([], false))).toEqual({
      data: [],
      has_more: false,
      first_id: null,
      last_id: null,
      next_page: null,
    })
  })
})

describe('the bill of a batch', () => {
  const line = (model: string, input: number, output: number) =>
    JSON.stringify({
      custom_id: 'ä',
      result: {
        type: 'succeeded',
        message: { model, usage: { input_tokens: input, output_tokens: output } },
      },
    })
  const LINES = [
    line('claude-haiku-4-5', 1_000, 100),
    '{"custom_id":"x","result":{"type":"errored","error":{}}}',
    line('claude-opus-4-5', 10, 1),
    'not json',
    '',
    line('claude-haiku-4-5', 2_000, 200),
    '{"custom_id":"y","result":{"type":"expired"}}',
  ].join('\n')

  it('sums by model, half of the price, answers alone, however the bytes are cut', () => {
    const bytes = encoder.encode(LINES)
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length)), fc.boolean(), (cuts, isEnded) => {
        const meter = new BatchMeter(new TextDecoder())
        const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
        for (const [at, from] of places.slice(0, -1).entries()) {
          meter.push(bytes.subarray(from, places[at + 1]))
        }
        if (isEnded) meter.push(encoder.encode('\n'))
        const uses = meter.end()
        expect(uses.map(({ model, requests }) => [model, requests])).toEqual([
          ['claude-haiku-4-5', 2],
          ['claude-opus-4-5', 1],
        ])
        expect(uses[0]).toMatchObject({ inputTokens: 3_000, outputTokens: 300 })
        // Haiku: (3,000 × 1 + 300 × 5) / 2 dollars a million; Opus: (10 × 5 + 25) / 2.
        expect(uses.map(({ costNanoUsd }) => costNanoUsd)).toEqual([2_250_000, 37_500])
      }),
      { numRuns: 50 },
    )
  })

  it('prices each answer by its own prompt, not by the sum of all', () => {
    const meter = new BatchMeter(new TextDecoder())
    for (let at = 0; at < 3; at += 1) {
      meter.push(encoder.encode(`${line('claude-haiku-5-5', 60_000, 0)}\n`))
    }
    // Each is below 100k, where a token costs a fifth of what it costs above.
    expect(meter.end()[0]?.costNanoUsd).toBe((180_000 * 100) / 2)
  })
})

describe('files that a body names', () => {
  it.each([
    ['{"source":{"type":"file","file_id":"file_011CNha8"}}', ['file_011CNha8']],
    [
      '{"file_id" :\n\t"file_a","x":{"file_id":"file_b","y":{"file_id": "file_a"}}}',
      ['file_a', 'file_b'],
    ],
    ['{"text":"my \\"file_id\\": \\"file_x\\" is"}', []],
    ['{"file_ids":"file_a","xfile_id":"file_a","file_id":"other_a","file_id":5}', []],
    ['{"file_id":"file_', null],
    ['', null],
    ['"file_id"', []],
    ['{"profile_id":"file_a"}', []],
    [
      String.raw`{"a":{"fil\u0065_id":"fil\u0065_a"},"b":[{"\u0066\u0069\u006c\u0065\u005f\u0069\u0064":"file_b"}]}`,
      ['file_a', 'file_b'],
    ],
    ['[]', []],
  ])('in %s', (body, ids) => {
    // As deep as in a message: a field of the whole body is none of a block.
    const inner = ids === null ? body : `{"messages":[${body}]}`
    expect(findFileIds(encoder.encode(inner))).toEqual(ids)
  })

  it('are found wherever they stand in any JSON, and nothing else is', () => {
    const id = fc.stringMatching(/^[A-Za-z0-9]{1,20}$/).map((text) => `file_${text}`)
    const leaf = fc.oneof(fc.string(), fc.integer(), id)
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        leaf,
        fc.array(tie('node'), { maxLength: 4 }),
        fc.dictionary(fc.constantFrom('a', 'file_id', 'file', 'id', 'file_ids'), tie('node')),
      ),
    })).node
    const idsOf = (value: unknown, name = ''): string[] => {
      if (typeof value === 'string') {
        return name === 'file_id' && value.startsWith('file_') ? [value] : []
      }
      if (typeof value !== 'object' || value === null) return []
      return Object.entries(value).flatMap(([key, each]) =>
        idsOf(each, Array.isArray(value) ? '' : key),
      )
    }
    fc.assert(
      fc.property(tree, fc.constantFrom(undefined, 2), (value, indent) => {
        const found = findFileIds(encoder.encode(JSON.stringify({ a: value }, null, indent)))
        expect(found).toEqual([...new Set(idsOf(value))])
      }),
      { numRuns: 1_000 },
    )
  })
})
