import { describe, expect, test } from 'vitest'
import type { RateObservation } from '../../../src/core/admission/admission.ts'
import type { Gate } from '../../../src/core/admission/gate-state.ts'
import { admit, advance, nextWakeAt, renew, settle } from '../../../src/core/admission/gate.ts'
import {
  aGate,
  answerTo,
  ask,
  asks,
  at,
  ends,
  served,
  settlement,
  word,
} from '../../support/admission.ts'

const WIDE = { limit: 1_000 }

/** A gate whose one call, granted and settled at `now`, brought these readings. */
function read(rate: RateObservation, now = 0, gate: Gate = aGate()): Gate {
  asks(gate, `r${now}`, at(now), WIDE)
  const said = settlement(`r${now}`, served, { rate })
  settle(gate, { settlement: said, witness: null }, at(now))
  return gate
}

const admittedAt = (gate: Gate, now: number, estimatedInputTokens = 100): number => {
  for (let call = 0; call < 10_000; call++) {
    const answer = asks(gate, `n${now}-${call}`, at(now), { ...WIDE, estimatedInputTokens })
    if (answer !== 'admitted') return call
  }
  return Infinity
}

describe('requests', () => {
  test('pass while the account has some left, and refill by its arithmetic', () => {
    const gate = read({ requests: { limit: 60, remaining: 3, resetAt: null } })
    expect(admittedAt(gate, 0)).toBe(3)
    expect(admittedAt(gate, 999)).toBe(0)
    expect(admittedAt(gate, 5_000)).toBe(5)
    expect(admittedAt(gate, 600_000)).toBe(60)
  })

  test('pause when none is left and a true reset lies ahead, and say when to come back', () => {
    const gate = read({ requests: { limit: 60, remaining: 0, resetAt: 60_000 } })
    expect(answerTo('x', admit(gate, ask('x', WIDE), at(0)))).toMatchObject({
      refusal: { reason: 'throttled', retryAt: 1_000 },
    })
    expect(admittedAt(gate, 1_000)).toBe(1)
    expect(admittedAt(gate, 1_500)).toBe(0)
    expect(admittedAt(gate, 4_000)).toBe(3)
  })

  test.each([
    ['a reset in the past', { limit: 60, remaining: 0, resetAt: -5_000 }],
    ['no reset', { limit: 60, remaining: 0, resetAt: null }],
    ['no limit', { limit: 0, remaining: 0, resetAt: 60_000 }],
    ['nonsense', { limit: Number.NaN, remaining: 1, resetAt: null }],
  ])('are not stopped by a reading with %s', (_, requests) => {
    expect(admittedAt(read({ requests }), 0)).toBe(1_000)
  })

  test('a missing dimension leaves what was known of it', () => {
    const gate = read({ requests: { limit: 60, remaining: 2, resetAt: null } })
    read({ inputTokens: { limit: 1_000_000, remaining: 900_000, resetAt: null } }, 1, gate)
    expect(admittedAt(gate, 1)).toBe(1)
  })

  test('a reading takes off what was granted after its call', () => {
    const gate = aGate()
    for (const ticket of ['a', 'b', 'c', 'd']) asks(gate, ticket, at(0), WIDE)
    const rate = { requests: { limit: 60, remaining: 10, resetAt: null } }
    settle(gate, { settlement: settlement('b', served, { rate }), witness: null }, at(0))
    expect(admittedAt(gate, 0)).toBe(8)
  })

  test('an older reading that comes late is no news', () => {
    const gate = aGate()
    asks(gate, 'old', at(0), WIDE)
    asks(gate, 'new', at(10), WIDE)
    const reading = (remaining: number) => ({ requests: { limit: 60, remaining, resetAt: null } })
    const settleWith = (ticket: string, remaining: number): void => {
      const said = settlement(ticket, served, { rate: reading(remaining) })
      settle(gate, { settlement: said, witness: null }, at(20))
    }
    settleWith('new', 2)
    settleWith('old', 50)
    expect(admittedAt(gate, 20)).toBe(2)
  })
})

describe('tokens', () => {
  const tokens = (remaining: number) => ({
    inputTokens: { limit: 60_000, remaining, resetAt: null },
  })

  test('an estimate is charged at once and settled by the usage', () => {
    const gate = read(tokens(10_000))
    const heavy = { ...WIDE, estimatedInputTokens: 8_000 }
    expect(asks(gate, 'a', at(0), heavy)).toBe('admitted')
    expect(asks(gate, 'b', at(0), heavy)).toBe('throttled')
    const counts = { uncachedInputTokens: 1_000, outputTokens: 0 }
    settle(gate, { settlement: settlement('a', served, { tokens: counts }), witness: null }, at(0))
    expect(asks(gate, 'c', at(0), heavy)).toBe('admitted')
  })

  test('output counts as it was produced', () => {
    const gate = read({ outputTokens: { limit: 6_000, remaining: 1_500, resetAt: null } })
    expect(asks(gate, 'a', at(0), WIDE)).toBe('admitted')
    const counts = { uncachedInputTokens: 0, outputTokens: 2_500 }
    settle(gate, { settlement: settlement('a', served, { tokens: counts }), witness: null }, at(0))
    expect(asks(gate, 'b', at(0), WIDE)).toBe('throttled')
    expect(asks(gate, 'c', at(11_000), WIDE)).toBe('admitted')
  })

  test('output of a long stream is charged while it runs, and once', () => {
    const gate = read({ outputTokens: { limit: 60_000, remaining: 60_000, resetAt: null } })
    const level = (): number | undefined => gate.classes.get('sonnet')?.rate.outputTokens?.level
    asks(gate, 'a', at(0), WIDE)
    const tells = (outputTokens: number): void =>
      void renew(gate, { leaseId: 'a', witness: null, answering: true, outputTokens }, at(0))
    tells(1_000)
    expect(level()).toBe(59_000)
    tells(1_000)
    tells(800)
    tells(2_500)
    expect(level()).toBe(57_500)
    const tokens = { uncachedInputTokens: 100, outputTokens: 3_000 }
    settle(gate, { settlement: settlement('a', served, { tokens }), witness: null }, at(0))
    expect(level()).toBe(57_000)
  })

  test('a call larger than the whole bucket goes when the bucket is full', () => {
    const gate = read(tokens(30_000))
    const huge = { ...WIDE, estimatedInputTokens: 100_000 }
    expect(asks(gate, 'a', at(0), huge)).toBe('throttled')
    expect(asks(gate, 'b', at(60_000), huge)).toBe('admitted')
  })

  test('a rounded reading is taken at its least', () => {
    const gate = read(tokens(1_000))
    expect(asks(gate, 'a', at(0), { ...WIDE, estimatedInputTokens: 600 })).toBe('throttled')
    expect(asks(gate, 'b', at(0), { ...WIDE, estimatedInputTokens: 400 })).toBe('admitted')
  })

  test('model classes have buckets of their own', () => {
    const gate = read({ requests: { limit: 60, remaining: 0, resetAt: 60_000 } })
    expect(asks(gate, 'a', at(0), { ...WIDE, modelClass: 'opus' })).toBe('admitted')
  })
})

describe('waiting for a bucket', () => {
  const dry = (): Gate => read({ requests: { limit: 60, remaining: 0, resetAt: 60_000 } })

  test('a caller with time waits, is woken when its turn comes, and the others are spread behind it', () => {
    const gate = dry()
    for (const ticket of ['a', 'b']) {
      expect(asks(gate, ticket, at(0), { ...WIDE, maxWaitMs: 5_000 })).toBe('waits')
    }
    expect(nextWakeAt(gate, 0)).toBe(1_000)
    const first = advance(gate, at(1_000))
    expect([word(answerTo('a', first)), word(answerTo('b', first))]).toEqual(['admitted', 'waits'])
    expect(nextWakeAt(gate, 1_000)).toBe(2_000)
    expect(word(answerTo('b', advance(gate, at(2_000))))).toBe('admitted')
  })

  test('a caller whose time ends before is told at once', () => {
    expect(asks(dry(), 'a', at(0), { ...WIDE, maxWaitMs: 900 })).toBe('throttled')
  })

  test('a large call is not starved by small ones that would drain the bucket', () => {
    const gate = read({ inputTokens: { limit: 60_000, remaining: 2_000, resetAt: null } })
    const wait = { ...WIDE, maxWaitMs: 9_000 }
    expect(asks(gate, 'large', at(0), { ...wait, estimatedInputTokens: 5_000 })).toBe('waits')
    expect(asks(gate, 'small', at(10), { ...wait, estimatedInputTokens: 100 })).toBe('waits')
    const resolved = advance(gate, at(4_000))
    expect(word(answerTo('large', resolved))).toBe('admitted')
  })

  test('a 429 that names a time pauses its class when a bucket is empty, and not otherwise', () => {
    const throttledFor = (rate: RateObservation | null): Gate => {
      const gate = aGate()
      asks(gate, 'a', at(0), WIDE)
      const outcome = { kind: 'throttled', retryAfterMs: 7_000, rampLimited: false } as const
      settle(gate, { settlement: settlement('a', outcome, { rate }), witness: null }, at(0))
      return gate
    }
    const empty = { inputTokens: { limit: 1_000, remaining: 0, resetAt: 1_000 } }
    expect(asks(throttledFor(empty), 'b', at(6_999), WIDE)).toBe('throttled')
    expect(asks(throttledFor(empty), 'c', at(7_000), WIDE)).toBe('admitted')
    expect(asks(throttledFor(null), 'd', at(1), WIDE)).toBe('admitted')
  })

  test('a 429 at the least limit, where nothing is left to shrink, is obeyed', () => {
    const gate = aGate()
    asks(gate, 'a', at(0), { limit: 1 })
    ends(gate, 'a', { kind: 'throttled', retryAfterMs: 3_000, rampLimited: false }, at(0))
    expect(asks(gate, 'b', at(2_999), { limit: 1 })).toBe('throttled')
    expect(asks(gate, 'c', at(3_000), { limit: 1 })).toBe('admitted')
  })
})
