import { beforeEach, describe, expect, test } from 'vitest'
import { advance, renew, reserve, settle } from '../../../src/core/money/ledger/ledger.ts'
import { type Ledger, newLedger } from '../../../src/core/money/ledger/ledger-state.ts'
import { reportOf } from '../../../src/core/money/ledger/left.ts'
import type { LedgerAsk, TokenTerms } from '../../../src/core/money/ledger/words.ts'
import { sumUsage } from '../../../src/core/money/usage-totals.ts'
import { billOf, ledgerAsk, limits, MINUTE_MS, NOON, unlimited } from '../../support/ledger.ts'

const NO_LIMITS = {
  concurrent: null,
  inputTokens: null,
  outputTokens: null,
  dayNanoUsd: null,
  monthNanoUsd: null,
}

let ledger: Ledger
beforeEach(() => {
  ledger = newLedger()
})

const enter = (ask: LedgerAsk, now = NOON) => reserve(ledger, ask, now)
const leave = (ask: LedgerAsk, outputTokens: number, now = NOON) =>
  settle(ledger, { id: ask.id, usage: billOf(ask, outputTokens), tookMs: 1_000 }, now)
const DAY_MS = 86_400_000
const spent = (now = NOON) => reportOf(ledger, unlimited, now).spentDayNanoUsd

describe('concurrency', () => {
  const two = { limits: limits({ maxConcurrent: 2 }) }

  test('holds its limit, and says when the next slot should free', () => {
    for (const id of ['a', 'b']) expect(enter(ledgerAsk(id, two)).kind).toBe('granted')
    expect(enter(ledgerAsk('c', two))).toEqual({
      kind: 'refused',
      refusals: [{ name: 'concurrency', limit: 2, retryAt: NOON + 5_000 }],
      left: { ...NO_LIMITS, concurrent: 0 },
    })
    leave(ledgerAsk('a', two), 10)
    expect(enter(ledgerAsk('c', two)).kind).toBe('granted')
  })

  test('the same call asked for twice holds one slot', () => {
    enter(ledgerAsk('a', two))
    enter(ledgerAsk('a', two))
    expect(enter(ledgerAsk('b', two)).kind).toBe('granted')
  })

  test('a call that is not renewed frees its slot when its time is over', () => {
    const one = { limits: limits({ maxConcurrent: 1 }) }
    enter(ledgerAsk('a', one))
    expect(enter(ledgerAsk('b', one), NOON + MINUTE_MS - 1).kind).toBe('refused')
    expect(enter(ledgerAsk('b', one), NOON + MINUTE_MS).kind).toBe('granted')
  })

  test('a renewal keeps it', () => {
    const ask = ledgerAsk('a', { limits: limits({ maxConcurrent: 1 }) })
    enter(ask)
    const renewal = { ask, allowanceNanoUsd: null, progress: null }
    renew(ledger, renewal, NOON + MINUTE_MS / 2)
    expect(enter({ ...ask, id: 'b' }, NOON + MINUTE_MS).kind).toBe('refused')
  })
})

describe('tokens a minute', () => {
  test('a call counts its input from its grant, corrected by what it really was', () => {
    const ask = (id: string) => ledgerAsk(id, { limits: limits({ inputTokensPerMinute: 250 }) })
    enter(ask('a'))
    enter(ask('b'))
    expect(enter(ask('c'))).toMatchObject({ refusals: [{ name: 'input_tokens', limit: 250 }] })
    settle(ledger, { id: 'a', usage: billOf(ask('a'), 1, 20) }, NOON)
    expect(enter({ ...ask('c'), model: 'another' }).kind).toBe('granted')
  })

  test('the time that is told is kept: then the call goes', () => {
    const ask = (id: string) =>
      ledgerAsk(id, { maxOutputTokens: 60, limits: limits({ outputTokensPerMinute: 100 }) })
    enter(ask('a'))
    leave(ask('a'), 60, NOON + 500)
    const answer = enter(ask('b'), NOON + 10_000)
    if (answer.kind !== 'refused') throw new Error('Expected a refusal')
    const retryAt = answer.refusals[0]?.retryAt ?? 0
    expect(retryAt).toBe(NOON + 1_000 + MINUTE_MS)
    expect(enter(ask('b'), retryAt - 1_001).kind).toBe('refused')
    expect(enter(ask('b'), retryAt).kind).toBe('granted')
  })

  test('a call larger than the limit goes when it is alone', () => {
    const ask = (id: string) => ledgerAsk(id, { limits: limits({ inputTokensPerMinute: 10 }) })
    expect(enter(ask('a')).kind).toBe('granted')
    expect(enter(ask('b')).kind).toBe('refused')
    expect(enter(ask('b'), NOON + 61_000).kind).toBe('granted')
  })

  test('learn from what calls use: `max_tokens` reserves nothing', () => {
    const ask = (id: string) =>
      ledgerAsk(id, { maxOutputTokens: 64_000, limits: limits({ outputTokensPerMinute: 2_000 }) })
    enter(ask('a'))
    leave(ask('a'), 20)
    for (let i = 0; i < 50; i++) expect(enter(ask(`b${i}`)).kind).toBe('granted')
  })
})

describe('money', () => {
  const budget = (dayNanoUsd: number) => ({ limits: limits({ dayNanoUsd }) })

  test('with some left a call goes, whatever its `max_tokens` may cost', () => {
    expect(enter(ledgerAsk('a', { ...budget(1), maxOutputTokens: 1_000_000 })).kind).toBe('granted')
  })

  test('with none left it is refused until midnight', () => {
    enter(ledgerAsk('a', budget(1_000)))
    leave(ledgerAsk('a', budget(1_000)), 90)
    const midnight = Date.UTC(2026, 10, 22)
    expect(enter(ledgerAsk('b', budget(1_000)))).toEqual({
      kind: 'refused',
      refusals: [{ name: 'budget_day', limit: 1_000, retryAt: midnight }],
      left: { ...NO_LIMITS, dayNanoUsd: 0 },
    })
    expect(enter(ledgerAsk('b', { ...budget(1_000), at: midnight }), midnight).kind).toBe('granted')
  })

  test('a call that ends after midnight is billed to the day on which it came', () => {
    const late = Date.UTC(2026, 10, 22) - 1
    const ask = ledgerAsk('a', { ...budget(1_000), at: late })
    enter(ask, late)
    leave(ask, 90, late + 1_000)
    expect(spent(late)).toBe(1_000)
    expect(spent(late + 1_000)).toBe(0)
    expect(reportOf(ledger, unlimited, late + 1_000).spentMonthNanoUsd).toBe(1_000)
  })

  test('where what runs may use it up, the next is told to ask again, and goes once that has ended', () => {
    const small = { ...budget(15_000), maxOutputTokens: 1_000 }
    for (const id of ['a', 'b']) expect(enter(ledgerAsk(id, small)).kind).toBe('granted')
    expect(enter(ledgerAsk('c', small))).toEqual({ kind: 'busy', retryAt: NOON + 100 })
    leave(ledgerAsk('a', small), 10)
    expect(enter(ledgerAsk('c', small)).kind).toBe('granted')
  })

  test('one that has waited trusts what such calls cost before', () => {
    const small = { ...budget(15_000), maxOutputTokens: 1_000 }
    for (let i = 0; i < 8; i++) {
      enter(ledgerAsk(`l${i}`, small))
      leave(ledgerAsk(`l${i}`, small), 5)
    }
    for (const id of ['a', 'b']) expect(enter(ledgerAsk(id, small)).kind).toBe('granted')
    expect(enter(ledgerAsk('c', small), NOON + 1_999).kind).toBe('busy')
    expect(enter(ledgerAsk('c', small), NOON + 2_000).kind).toBe('granted')
  })

  const tells = (ask: LedgerAsk, tokens: number) =>
    renew(ledger, { ask, allowanceNanoUsd: null, progress: billOf(ask, tokens) }, NOON)

  test('a stream gets it in slices, and ends when it is spent', () => {
    const ask = ledgerAsk('a', { ...budget(100_000), stream: true, maxOutputTokens: 100_000 })
    const answer = enter(ask)
    if (answer.kind !== 'granted') throw new Error('Expected a grant')
    let allowance = answer.allowanceNanoUsd ?? 0
    expect(allowance).toBeGreaterThan(10_000)
    expect(allowance).toBeLessThan(20_000)
    for (let asked = 1; ; asked++) {
      const tokens = Math.ceil((allowance - 100) / 10)
      const renewed = tells(ask, tokens)
      if (renewed.kind !== 'go') {
        expect(renewed).toMatchObject({ kind: 'stop', refusals: [{ name: 'budget_day' }] })
        leave(ask, tokens)
        break
      }
      expect(renewed.allowanceNanoUsd).toBeGreaterThan(allowance)
      allowance = renewed.allowanceNanoUsd ?? 0
      expect(asked).toBeLessThan(100)
    }
    expect(spent()).toBeGreaterThanOrEqual(100_000)
    expect(spent()).toBeLessThanOrEqual(100_000 + 10)
  })

  test('a stream ends where the others have used up what was left', () => {
    const ask = (id: string, maxOutputTokens: number) =>
      ledgerAsk(id, { ...budget(8_000), stream: true, maxOutputTokens })
    expect(enter(ask('long', 10_000))).toMatchObject({ allowanceNanoUsd: 8_000 })
    enter(ask('short', 500))
    leave(ask('short', 500), 490)
    expect(tells(ask('long', 10_000), 200)).toMatchObject({ allowanceNanoUsd: 3_000 })
    expect(tells(ask('long', 10_000), 290)).toEqual({
      kind: 'stop',
      refusals: [{ name: 'budget_day', limit: 8_000, retryAt: Date.UTC(2026, 10, 22) }],
    })
  })

  test.each([
    ['of which nothing is known', 0],
    ['that are longer than those before', 10],
  ])('of many streams at once, %s, none is ended while a call or two are left', (_, before) => {
    const most = { ...budget(250_000), stream: true, maxOutputTokens: 64_000 }
    const running = new Set<string>()
    const cost = new Map<string, number>()
    const allowed = new Map<string, number>()
    const sum = () => [...cost.values()].reduce((total, each) => total + each, 0)
    let produced = 0
    for (let at = 0; at < before; at++) {
      const ask = ledgerAsk(`l${at}`, { ...most, limits: unlimited, at: NOON - 2 * DAY_MS })
      enter(ask)
      leave(ask, 50)
    }
    // They come when they may, go on together, and would produce 1,000 tokens each: twice of what there is.
    for (let arrived = 0; running.size > 0 || arrived === 0;) {
      for (; arrived < 50; arrived++) {
        const answer = enter(ledgerAsk(`c${arrived}`, most))
        if (answer.kind !== 'granted') break
        running.add(`c${arrived}`)
        allowed.set(`c${arrived}`, answer.allowanceNanoUsd ?? Infinity)
      }
      produced += 10
      for (const id of running) {
        const bill = billOf(ledgerAsk(id, most), Math.min(produced, 1_000))
        cost.set(id, bill.costNanoUsd)
        if (bill.outputTokens === 1_000) {
          leave(ledgerAsk(id, most), 1_000)
          running.delete(id)
          continue
        }
        if (bill.costNanoUsd < (allowed.get(id) ?? 0)) continue
        const renewed = tells(ledgerAsk(id, most), bill.outputTokens)
        if (renewed.kind === 'go') allowed.set(id, renewed.allowanceNanoUsd ?? Infinity)
        else {
          expect(sum()).toBeGreaterThan(250_000 - 2 * 10_100)
          leave(ledgerAsk(id, most), bill.outputTokens)
          running.delete(id)
        }
      }
    }
    // Each is noticed ten tokens late at most.
    expect(sum()).toBeLessThan(250_000 + 10_100 + 50 * 100)
  })

  test('far from its end a stream never has to ask', () => {
    const ask = ledgerAsk('a', { ...budget(1e9), stream: true })
    const answer = enter(ask)
    expect(answer).toMatchObject({ kind: 'granted', allowanceNanoUsd: 10_200 })
  })
})

describe('a refusal', () => {
  test('names every limit that refuses, and takes nothing', () => {
    const all = {
      limits: limits({
        maxConcurrent: 1,
        inputTokensPerMinute: 100,
        dayNanoUsd: 100,
        monthNanoUsd: 100,
      }),
    }
    enter(ledgerAsk('a', all))
    leave(ledgerAsk('a', all), 90)
    enter(ledgerAsk('b'))
    const before = structuredClone({ ...ledger, busy: null })
    const answer = enter(ledgerAsk('c', all))
    if (answer.kind !== 'refused') throw new Error('Expected a refusal')
    expect(answer.refusals.map(({ name }) => name)).toEqual([
      'concurrency',
      'input_tokens',
      'budget_day',
      'budget_month',
    ])
    expect(answer.refusals.every(({ retryAt }) => (retryAt ?? 0) > NOON)).toBe(true)
    expect({ ...ledger, busy: null }).toEqual(before)
  })

  test('that comes from elsewhere gives everything back', () => {
    const token: TokenTerms = {
      id: 't',
      maxRequests: 1,
      budgetNanoUsd: null,
      expiresAt: NOON + 1e6,
    }
    const ask = ledgerAsk('a', { limits: limits({ inputTokensPerMinute: 100 }), token })
    enter(ask)
    settle(ledger, { id: 'a', usage: null, unused: true }, NOON)
    expect(ledger.input.used).toBe(0)
    expect(enter({ ...ask, id: 'b' }).kind).toBe('granted')
  })
})

describe('a browser token', () => {
  const terms = { id: 't', maxRequests: 2, budgetNanoUsd: 1_000, expiresAt: NOON + 3_600_000 }

  test('may make so many requests', () => {
    const ask = (id: string) => ledgerAsk(id, { token: { ...terms, budgetNanoUsd: null } })
    enter(ask('a'))
    enter(ask('b'))
    expect(enter(ask('c'))).toMatchObject({ refusals: [{ name: 'token_requests', limit: 2 }] })
    expect(enter({ ...ask('d'), token: { ...terms, id: 'other' } }).kind).toBe('granted')
  })

  test('may spend so much, whatever its tenant has left', () => {
    const ask = (id: string) => ledgerAsk(id, { token: { ...terms, maxRequests: null } })
    enter(ask('a'))
    leave(ask('a'), 90)
    expect(enter(ask('b'))).toMatchObject({ refusals: [{ name: 'token_budget', retryAt: null }] })
    expect(enter(ledgerAsk('c')).kind).toBe('granted')
  })

  test('is forgotten when it has expired', () => {
    enter(ledgerAsk('a', { token: terms }))
    leave(ledgerAsk('a', { token: terms }), 1)
    advance(ledger, terms.expiresAt)
    expect(ledger.tokens.size).toBe(0)
  })
})

describe('a call', () => {
  const totals = () => sumUsage(ledger.unsaved.usage.values())[0]

  test('is counted once, however often its end is told', () => {
    const ask = ledgerAsk('a')
    enter(ask)
    for (let i = 0; i < 3; i++) leave(ask, 90)
    expect(spent()).toBe(1_000)
    expect(totals()).toMatchObject({ requests: 1, outputTokens: 90, costNanoUsd: 1_000 })
  })

  test('that nobody speaks for is billed by estimate, and by its real bill when that comes after all', () => {
    const ask = ledgerAsk('a')
    enter(ask)
    advance(ledger, NOON + MINUTE_MS)
    expect(totals()).toMatchObject({ requests: 1, outputTokens: 1_000, costNanoUsd: 10_100 })
    leave(ask, 90, NOON + MINUTE_MS + 1)
    leave(ask, 90, NOON + MINUTE_MS + 2)
    expect(totals()).toMatchObject({
      requests: 1,
      outputTokens: 90,
      inputTokens: 100,
      costNanoUsd: 1_000,
    })
    expect(spent()).toBe(1_000)
  })

  test('that told how far it was is billed that, where it is more', () => {
    const ask = ledgerAsk('a', { maxOutputTokens: 10 })
    enter(ask)
    const progress = { ...billOf(ask, 5_000), estimated: true }
    renew(ledger, { ask, allowanceNanoUsd: null, progress }, NOON)
    advance(ledger, NOON + MINUTE_MS)
    expect(spent()).toBe(progress.costNanoUsd)
  })

  test('whose lease a crash took is taken over at its renewal, once', () => {
    const ask = ledgerAsk('a', { limits: limits({ maxConcurrent: 1 }) })
    const renewal = { ask, allowanceNanoUsd: null, progress: null }
    expect(renew(ledger, renewal, NOON).kind).toBe('go')
    expect(enter({ ...ask, id: 'b' }).kind).toBe('refused')
    leave(ask, 1)
    expect(renew(ledger, renewal, NOON)).toEqual({ kind: 'ended' })
    expect(ledger.leases.size).toBe(0)
  })
})
