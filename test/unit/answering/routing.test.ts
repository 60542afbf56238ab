import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Account } from '../../../src/core/answering/account.ts'
import { matchesModel } from '../../../src/core/answering/model-glob.ts'
import { refusalOf, type AccountRefusal } from '../../../src/core/answering/refusal.ts'
import { retryDelayMs } from '../../../src/core/answering/retry.ts'
import { orderAccounts } from '../../../src/core/answering/routing.ts'

const account = (id: string, fields: Partial<Account> = {}): Account => ({
  id,
  apiKey: 'k',
  baseUrl: 'https://api.anthropic.com',
  weight: 1,
  maxConcurrent: 50,
  minConcurrent: 1,
  backup: false,
  models: ['*'],
  locationHint: null,
  draining: false,
  ...fields,
})
const ids = (accounts: readonly Account[]): readonly string[] => accounts.map(({ id }) => id)
const five = ['a', 'b', 'c', 'd', 'e'].map((id) => account(id))
const firstFor = (accounts: readonly Account[], affinity: string): string | undefined =>
  orderAccounts(accounts, { model: 'm', affinity, random: 0.5 })[0]?.id

describe('matchesModel', () => {
  test.each([
    [['*'], 'anything', true],
    [['claude-haiku-*'], 'claude-haiku-4-5', true],
    [['claude-haiku-*'], 'claude-sonnet-5', false],
    [['*-5'], 'claude-sonnet-5', true],
    [['claude-*-5'], 'claude-sonnet-4-5-5', true],
    [['a*b*c'], 'axxbxbxc', true],
    [['a*b*c'], 'axxbxbx', false],
    [['a.c'], 'abc', false],
    [['a', 'b'], 'b', true],
    [[], 'a', false],
    [[''], '', true],
    [['**'], '', true],
  ])('%j for %s is %s', (globs, model, matches) => {
    expect(matchesModel(globs, model)).toBe(matches)
  })

  test('agrees with a regular expression', () => {
    const text = fc.array(fc.constantFrom('a', 'b', '*', '.', '-'), { maxLength: 8 })
    fc.assert(
      fc.property(text, text, (glob, chars) => {
        const pattern = glob.map((char) =>
          char === '*' ? '[^]*' : `\\x${char.charCodeAt(0).toString(16)}`,
        )
        const model = chars.join('')
        expect(matchesModel([glob.join('')], model)).toBe(
          new RegExp(`^${pattern.join('')}$`).test(model),
        )
      }),
      { numRuns: 3000 },
    )
  })

  test('takes a hostile glob and name in no time', () => {
    const startedAt = performance.now()
    expect(matchesModel(['*a'.repeat(200) + 'b'], 'a'.repeat(256))).toBe(false)
    expect(performance.now() - startedAt).toBeLessThan(100)
  })
})

describe('orderAccounts', () => {
  test('asks only those that serve the model, and each of them once', () => {
    const accounts = [account('a', { models: ['claude-haiku-*'] }), account('b'), account('c')]
    const order = ids(orderAccounts(accounts, { model: 'claude-opus-5', affinity: 'x', random: 0 }))
    expect([...order].sort()).toEqual(['b', 'c'])
    const any = ids(orderAccounts(accounts, { model: '', affinity: null, random: 0.3 }))
    expect([...any].sort()).toEqual(['a', 'b', 'c'])
  })

  test('asks backups last, whatever their weight', () => {
    const accounts = [account('spare', { backup: true, weight: 1000 }), account('a'), account('b')]
    for (let n = 0; n < 200; n += 1) {
      expect(
        ids(orderAccounts(accounts, { model: 'm', affinity: `k${n}`, random: 0 })).at(-1),
      ).toBe('spare')
    }
  })

  test('gives the same order for the same key, however the accounts are listed', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.shuffledSubarray(five, { minLength: 5 }),
        (affinity, shuffled) => {
          const ask = { model: 'm', affinity, random: 0.1 }
          expect(ids(orderAccounts(shuffled, { ...ask, random: 0.9 }))).toEqual(
            ids(orderAccounts(five, ask)),
          )
        },
      ),
    )
  })

  test('moves no key between the old accounts when one is added, and few to the new one', () => {
    const keys = Array.from({ length: 4000 }, (_, n) => `session-${n}`)
    const six = [...five, account('f')]
    let moved = 0
    for (const key of keys) {
      const [before, after] = [firstFor(five, key), firstFor(six, key)]
      if (before === after) continue
      expect(after).toBe('f')
      moved += 1
    }
    expect(moved / keys.length).toBeGreaterThan(1 / 6 - 0.04)
    expect(moved / keys.length).toBeLessThan(1 / 6 + 0.04)
  })

  test.each(['affinity', 'random'])('shares calls by weight where drawn by %s', (by) => {
    const accounts = [account('a', { weight: 1 }), account('b', { weight: 3 })]
    let toB = 0
    for (let n = 0; n < 8000; n += 1) {
      const ask =
        by === 'affinity' ? { affinity: `k${n}`, random: 0 } : { affinity: null, random: n / 8000 }
      if (orderAccounts(accounts, { model: 'm', ...ask })[0]?.id === 'b') toB += 1
    }
    expect(toB / 8000).toBeGreaterThan(0.72)
    expect(toB / 8000).toBeLessThan(0.78)
  })
})

describe('retryDelayMs', () => {
  const bounds = { baseMs: 500, maxMs: 8000, retryAfterMaxMs: 30_000 }

  test.each([
    [1, null, 0, 0],
    [1, null, 0.5, 250],
    [2, null, 0.5, 500],
    [5, null, 0.5, 4000],
    [50, null, 0.5, 4000],
    [1, 3000, 0.5, 3000],
    [5, 3000, 0.5, 4000],
    [1, 30_000, 0.5, 30_000],
    [1, 30_001, 0.5, null],
  ])('attempt %i with retry-after %s and %d is %s ms', (attempt, retryAfterMs, random, delay) => {
    expect(retryDelayMs(bounds, { attempt, retryAfterMs, random })).toBe(delay)
  })

  test('is never earlier than asked, and never beyond its bounds', () => {
    const retryAfter = fc.option(fc.nat(40_000))
    const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2000 }),
        retryAfter,
        unit,
        (attempt, retryAfterMs, random) => {
          const delay = retryDelayMs(bounds, { attempt, retryAfterMs, random })
          expect(delay === null).toBe((retryAfterMs ?? 0) > 30_000)
          if (delay === null) return
          expect(delay).toBeGreaterThanOrEqual(retryAfterMs ?? 0)
          expect(delay).toBeLessThanOrEqual(Math.max(8000, retryAfterMs ?? 0))
        },
      ),
    )
  })
})

describe('refusalOf', () => {
  const NOW = 1_000_000
  const refusal = (
    reason: AccountRefusal['reason'],
    retryAt: number | null = null,
  ): AccountRefusal => ({
    reason,
    retryAt,
  })

  test.each<[AccountRefusal['reason'], string, number]>([
    ['open', 'accounts_open', 503],
    ['quarantined', 'accounts_open', 503],
    ['parked', 'accounts_open', 503],
    ['full', 'queue_full', 503],
    ['queue_full', 'queue_full', 503],
    ['queue_timeout', 'queue_timeout', 503],
    ['draining', 'draining', 503],
    ['throttled', 'accounts_throttled', 429],
    ['unavailable', 'gate_unavailable', 503],
  ])('%s alone is %s, %i', (reason, told, status) => {
    expect(refusalOf([refusal(reason)], NOW)).toMatchObject({ reason: told, status })
  })

  test('tells what waiting mends soonest, and the first moment at which any account may be tried', () => {
    const refusals = [
      refusal('open', NOW + 60_000),
      refusal('throttled', NOW + 5000),
      refusal('parked'),
    ]
    expect(refusalOf(refusals, NOW)).toMatchObject({
      reason: 'accounts_throttled',
      retryAfterMs: 5000,
    })
  })

  test('says no time where none is known, and none in the past', () => {
    expect(refusalOf([refusal('parked')], NOW).retryAfterMs).toBeNull()
    expect(refusalOf([refusal('open', NOW - 1)], NOW).retryAfterMs).toBe(0)
  })
})
