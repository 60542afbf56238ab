// Which answers are kept, for how long they serve whom, and what makes them go.
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { ByteBoundedMap } from '../../../src/core/caching/byte-bounded-map.ts'
import type { CacheAsk } from '../../../src/core/caching/cache-ask.ts'
import { refreshesEarly } from '../../../src/core/caching/early-refresh.ts'
import {
  type AnswerOf,
  type Invalidation,
  isGoodAfter,
  type Mark,
  markOf,
  marksOf,
  nextGeneration,
} from '../../../src/core/caching/generations.ts'
import { ageSeconds, fitnessOf, isKeepable, lifeOf } from '../../../src/core/caching/kept-answer.ts'

const message = (fields: object): string =>
  JSON.stringify({
    type: 'message',
    content: [{ type: 'text', text: 'Hi' }],
    stop_reason: 'end_turn',
    ...fields,
  })

describe('an answer', () => {
  it.each([
    {},
    { stop_reason: 'stop_sequence' },
    { content: [] },
    {
      content: [
        { type: 'thinking', thinking: 'x' },
        { type: 'text', text: 'y' },
      ],
    },
  ])('is kept with %j', (fields) => {
    expect(isKeepable(message(fields))).toBe(true)
  })

  it.each([
    { stop_reason: 'max_tokens' },
    { stop_reason: 'tool_use' },
    { stop_reason: 'pause_turn' },
    { stop_reason: 'refusal' },
    { stop_reason: 'model_context_window_exceeded' },
    { stop_reason: null },
    { content: [{ type: 'tool_use', id: 't', name: 'n', input: {} }] },
    { content: [{ type: 'server_tool_use', id: 't', name: 'n', input: {} }] },
    { content: [{ type: 'web_search_tool_result', content: [] }] },
    { content: [{ type: 'something_new' }] },
    { content: 'text' },
    { type: 'error' },
  ])('is not kept with %j', (fields) => {
    expect(isKeepable(message(fields))).toBe(false)
  })

  it.each(['[]', '"message"', '7'])('is not kept where it is %s', (text) => {
    expect(isKeepable(text)).toBe(false)
  })
})

const ask = (change: Partial<CacheAsk> = {}): CacheAsk => ({
  scope: 'tenant',
  ttlSeconds: 10,
  tags: [],
  reads: true,
  maxAgeSeconds: Infinity,
  minFreshSeconds: 0,
  maxStaleSeconds: 0,
  staleIfErrorSeconds: 0,
  onlyIfCached: false,
  ...change,
})
const kept = { storedAt: 1_000, ...lifeOf({ ttlSeconds: 10 }, 1_000) }

describe('an answer that is fresh for 10 seconds', () => {
  it.each<[string, number, Partial<CacheAsk>]>([
    ['fresh', 10_999, {}],
    ['unfit', 11_000, {}],
    ['fresh', 6_000, { maxAgeSeconds: 5 }],
    ['unfit', 6_001, { maxAgeSeconds: 5 }],
    ['fresh', 7_999, { minFreshSeconds: 3 }],
    ['unfit', 8_000, { minFreshSeconds: 3 }],
    ['unfit', 1_000, { reads: false }],
    ['stale', 11_000, { maxStaleSeconds: 1 }],
    ['unfit', 12_000, { maxStaleSeconds: 1 }],
    ['stale', 20_999, { maxStaleSeconds: Infinity }],
    ['unfit', 21_000, { maxStaleSeconds: Infinity }],
    ['stale_on_error', 12_000, { maxStaleSeconds: 1, staleIfErrorSeconds: 5 }],
    ['stale', 6_500, { maxAgeSeconds: 5, maxStaleSeconds: 1 }],
  ])('is %s at %i for %j', (fitness, now, change) => {
    expect(fitnessOf(kept, ask(change), now)).toBe(fitness)
  })

  it('tells its age in whole seconds, never below none', () => {
    expect([900, 1_999, 2_000].map((now) => ageSeconds(kept, now))).toEqual([0, 0, 1])
  })
})

describe('an early refresh', () => {
  const answer = { freshUntil: 100_000, tookMs: 1_000 }
  it('is certain at the end, rare long before it, and likelier the longer the call took', () => {
    expect(refreshesEarly(answer, 100_000, 0)).toBe(true)
    expect(refreshesEarly(answer, 99_000, 0.6)).toBe(false)
    expect(refreshesEarly(answer, 99_000, 0.64)).toBe(true)
    expect(refreshesEarly({ ...answer, tookMs: 10_000 }, 99_000, 0.1)).toBe(true)
    expect(refreshesEarly(answer, 50_000, 0.999_999)).toBe(false)
  })

  it('is left alone where the call would not end in time', () => {
    expect(refreshesEarly({ ...answer, tookMs: 20_001 }, 99_999, 0.999)).toBe(false)
  })
})

describe('invalidation', () => {
  const HASHES = ['a', 'b'].map((digit) => digit.repeat(64))
  const name = fc.constantFrom('', 'a', 'b', 'a&u=b&', 'a=', '%')
  const some = fc.constantFrom('a', 'b', 'a&u=b&', 'a=', '%')
  const answerOf = fc.record({
    tenant: some,
    user: name,
    model: some,
    keyId: fc.constantFrom('k1', 'k2'),
    hash: fc.constantFrom(...HASHES),
    tags: fc.uniqueArray(some, { maxLength: 3 }),
  })
  const rule = fc.record(
    {
      tenant: some,
      user: some,
      model: some,
      tag: some,
      key: fc.constantFrom('k1', 'k2', ...HASHES),
    },
    { requiredKeys: [] },
  )

  /** What the words of the contract say, without any marks. */
  function concerns(asked: Invalidation, answer: AnswerOf): boolean {
    const { key } = asked
    if (key !== undefined && HASHES.includes(key)) return answer.hash === key
    return (
      (key === undefined || answer.keyId === key) &&
      (key !== undefined || asked.tenant === undefined || asked.tenant === answer.tenant) &&
      (asked.user === undefined || (answer.user !== '' && asked.user === answer.user)) &&
      (asked.model === undefined || asked.model === answer.model) &&
      (asked.tag === undefined || answer.tags.includes(asked.tag))
    )
  }

  test('concerns exactly the answers that all of its fields describe', () => {
    fc.assert(
      fc.property(rule, answerOf, (asked, answer) => {
        expect(marksOf(answer).includes(markOf(asked))).toBe(concerns(asked, answer))
      }),
      { numRuns: 2_000 },
    )
  })

  test('an answer is good unless one that concerns it came after its call began, or wants older ones gone', () => {
    const marks: readonly Mark[] = [
      { generation: 5, before: 0 },
      { generation: 3, before: 100 },
    ]
    expect(isGoodAfter({ generation: 5, storedAt: 100 }, marks)).toBe(true)
    expect(isGoodAfter({ generation: 4, storedAt: 100 }, marks)).toBe(false)
    expect(isGoodAfter({ generation: 5, storedAt: 99 }, marks)).toBe(false)
    expect(isGoodAfter({ generation: 0, storedAt: 0 }, [])).toBe(true)
  })

  test('each number is above the last, and above those of a store that forgot', () => {
    expect(nextGeneration(7, 5)).toBe(8)
    expect(nextGeneration(0, 5)).toBe(5)
  })
})

test('a map bounded by bytes holds what was used last, and never more than it may', () => {
  const step = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    bytes: fc.integer({ min: 0, max: 12 }),
    kind: fc.constantFrom('set', 'get', 'delete'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const map = new ByteBoundedMap<number>(10)
      let model: [string, number][] = []
      for (const { name, bytes, kind } of steps) {
        const held = model.find(([each]) => each === name)
        model = model.filter(([each]) => each !== name)
        if (kind === 'set') {
          map.set(name, bytes, bytes)
          if (bytes <= 10) model.push([name, bytes])
          while (model.reduce((sum, [, each]) => sum + each, 0) > 10) model.shift()
        } else if (kind === 'delete') map.delete(name)
        else {
          expect(map.get(name)).toBe(held?.[1])
          if (held !== undefined) model.push(held)
        }
        expect(map.bytes).toBe(model.reduce((sum, [, each]) => sum + each, 0))
        expect(map.size).toBe(model.length)
      }
    }),
  )
})
