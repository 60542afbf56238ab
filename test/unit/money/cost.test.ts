import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { none, type Usage } from '../../../src/core/answering/usage.ts'
import { costOf } from '../../../src/core/money/cost.ts'
import { PRICE_TABLE } from '../../../src/core/money/price-table.ts'

const MILLION = 1_000_000
const usage = (counts: Partial<Usage>): Usage => ({ ...none, ...counts })
const usd = (model: string, counts: Partial<Usage>): number =>
  costOf(model, usage(counts)).costNanoUsd / 1e9

// The table of November 2026, as printed: input, output, 5-minute write, 1-hour write, read.
const printed: readonly (readonly [string, number, number, number, number, number])[] = [
  ['claude-fable-5-2', 8, 40, 10, 16, 0.2],
  ['claude-fable-5-1', 10, 50, 12.5, 20, 0.25],
  ['claude-opus-5-5', 4, 20, 5, 8, 0.2],
  ['claude-opus-5', 5, 25, 6.25, 10, 0.5],
  ['claude-opus-4-8', 5, 25, 6.25, 10, 0.5],
  ['claude-opus-4-7', 5, 25, 6.25, 10, 0.5],
  ['claude-opus-4-6', 5, 25, 6.25, 10, 0.5],
  ['claude-opus-4-5', 5, 25, 6.25, 10, 0.5],
  ['claude-sonnet-5-5', 2, 10, 2.5, 4, 0.1],
  ['claude-sonnet-5', 2, 10, 2.5, 4, 0.2],
  ['claude-sonnet-4-6', 3, 15, 3.75, 6, 0.3],
  ['claude-sonnet-4-5', 3, 15, 3.75, 6, 0.3],
  ['claude-haiku-4-5', 1, 5, 1.25, 2, 0.1],
]

describe('the price of a million tokens', () => {
  test.each(printed)('%s', (...row) => {
    const [model, input, output, write5m, write1h, read] = row
    expect(usd(model, { inputTokens: MILLION })).toBe(input)
    expect(usd(model, { outputTokens: MILLION })).toBe(output)
    expect(usd(model, { cacheWrite5mTokens: MILLION })).toBe(write5m)
    expect(usd(model, { cacheWrite1hTokens: MILLION })).toBe(write1h)
    expect(usd(model, { cacheReadTokens: MILLION })).toBe(read)
  })

  test('of Haiku 5.5 depends on the whole prompt, what came from the cache included', () => {
    const short = { inputTokens: 50_000, cacheReadTokens: 50_000, outputTokens: 1000 }
    expect(usd('claude-haiku-5-5', short)).toBeCloseTo(0.005 + 0.0005 + 0.0005, 12)
    const long = { ...short, cacheReadTokens: 50_001 }
    expect(usd('claude-haiku-5-5', long)).toBeCloseTo(0.025 + 50_001 * 5e-8 + 0.0025, 12)
    const written = { inputTokens: 1, cacheWrite5mTokens: 60_000, cacheWrite1hTokens: 40_000 }
    expect(usd('claude-haiku-5-5', written)).toBeCloseTo(5e-7 + 0.0375 + 0.04, 12)
  })

  test('is a whole number of nano-dollars in every row', () => {
    const prices = PRICE_TABLE.flatMap(({ price, longPrompt }) => [
      price,
      longPrompt?.price ?? price,
    ])
    for (const price of prices) {
      for (const each of Object.values(price)) expect(each * 1000).toBe(Math.round(each * 1000))
    }
  })
})

describe('costOf', () => {
  test.each([
    'claude-sonnet-4-5-20250929',
    'claude-sonnet-4-5-latest',
    'Claude-Sonnet-4-5',
    'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
    'claude-sonnet-4-5@20250929',
  ])('finds the row of %s', (model) => {
    expect(costOf(model, usage({ inputTokens: 1 }))).toMatchObject({
      costNanoUsd: 3000,
      estimated: false,
    })
  })

  test.each([
    'claude-sonnet-6',
    'gpt-9',
    '',
    'evil-claude-haiku-4-5',
    'claude-haiku-4-5-turbo',
    'x'.repeat(500),
  ])('prices the unknown %s at the dearest row and says so', (model) => {
    expect(costOf(model, usage({ inputTokens: 1, outputTokens: 1 }))).toEqual({
      costNanoUsd: 60_000,
      savedNanoUsd: 0,
      estimated: true,
    })
  })

  test('is half in a batch and 1.1 times for inference in the United States, rounded up', () => {
    const one = usage({ cacheWrite5mTokens: 1 })
    expect(costOf('claude-haiku-5-5', one).costNanoUsd).toBe(125)
    expect(costOf('claude-haiku-5-5', one, { batch: true }).costNanoUsd).toBe(63)
    expect(costOf('claude-haiku-5-5', { ...one, usOnly: true }).costNanoUsd).toBe(138)
    expect(costOf('claude-haiku-5-5', { ...one, usOnly: true }, { batch: true }).costNanoUsd).toBe(
      69,
    )
  })

  test('says what the prompt cache saved, and that a write alone costs more than none', () => {
    const read = usage({ cacheReadTokens: 1000, outputTokens: 10 })
    expect(costOf('claude-sonnet-4-5', read).savedNanoUsd).toBe(1000 * (3000 - 300))
    const write = usage({ cacheWrite1hTokens: 1000 })
    expect(costOf('claude-sonnet-4-5', write).savedNanoUsd).toBe(1000 * (3000 - 6000))
  })

  test('is exact: calls billed one by one sum up to the same as their tokens billed at once', () => {
    const count = fc.nat(2_000_000)
    const counts = fc.record({
      inputTokens: count,
      outputTokens: count,
      cacheWrite5mTokens: count,
      cacheWrite1hTokens: count,
      cacheReadTokens: count,
    })
    const model = fc.constantFrom(...printed.map(([name]) => name), 'unknown')
    fc.assert(
      fc.property(model, counts, counts, (name, a, b) => {
        const both = usage({
          inputTokens: a.inputTokens + b.inputTokens,
          outputTokens: a.outputTokens + b.outputTokens,
          cacheWrite5mTokens: a.cacheWrite5mTokens + b.cacheWrite5mTokens,
          cacheWrite1hTokens: a.cacheWrite1hTokens + b.cacheWrite1hTokens,
          cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
        })
        const [first, second, sum] = [
          costOf(name, usage(a)),
          costOf(name, usage(b)),
          costOf(name, both),
        ]
        expect(first.costNanoUsd + second.costNanoUsd).toBe(sum.costNanoUsd)
        expect(first.savedNanoUsd + second.savedNanoUsd).toBe(sum.savedNanoUsd)
        expect(Number.isSafeInteger(sum.costNanoUsd)).toBe(true)
      }),
    )
  })
})
