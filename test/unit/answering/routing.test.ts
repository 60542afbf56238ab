import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Account } from '../../../src/core/answering/account.ts'
import { scanMessageRequest } from '../../../src/core/answering/message-request.ts'
import { hashPromptPrefix } from '../../../src/core/answering/prompt-prefix.ts'
import { matchesModel } from '../../../src/core/answering/model-glob.ts'
import { refusalOf, type AccountRefusal } from '../../../src/core/answering/refusal.ts'
import { planSecondTry, retryDelayMs, type Tried } from '../../../src/core/answering/retry.ts'
import {
  type Affinity,
  orderAccounts,
  type RoutingAsk,
  serving,
} from '../../../src/core/answering/routing.ts'

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
const idle: RoutingAsk = { affinity: null, random: 0.5, loadOf: () => 0, isShut: () => false }
const session = (key: string): Affinity => ({ key, strength: 'session' })
const prompt = (key: string): Affinity => ({ key, strength: 'prompt' })
const firstFor = (accounts: readonly Account[], key: string): string | undefined =>
  orderAccounts(accounts, { ...idle, affinity: session(key) })[0]?.id

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

describe('serving', () => {
  test('names only those that serve the model, and all for any model', () => {
    const accounts = [account('a', { models: ['claude-haiku-*'] }), account('b'), account('c')]
    expect(ids(serving(accounts, 'claude-opus-5'))).toEqual(['b', 'c'])
    expect(ids(serving(accounts, ''))).toEqual(['a', 'b', 'c'])
  })
})

describe('orderAccounts', () => {
  test('asks backups last, whatever their weight, but before accounts that are shut', () => {
    const accounts = [account('spare', { backup: true, weight: 1000 }), account('a'), account('b')]
    for (let n = 0; n < 200; n += 1) {
      const ask = { ...idle, affinity: session(`k${n}`) }
      expect(ids(orderAccounts(accounts, ask)).at(-1)).toBe('spare')
      const isShut = ({ id }: Account) => id === 'a'
      expect(ids(orderAccounts(accounts, { ...ask, isShut }))).toEqual(['b', 'spare', 'a'])
    }
  })

  test('gives the same order for the same key, however the accounts are listed', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.constantFrom('thread', 'session', 'prompt'),
        fc.shuffledSubarray(five, { minLength: 5 }),
        (key, strength, shuffled) => {
          const ask = { ...idle, affinity: { key, strength } }
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
      const ask = by === 'affinity' ? { affinity: session(`k${n}`) } : { random: n / 8000 }
      if (orderAccounts(accounts, { ...idle, ...ask })[0]?.id === 'b') toB += 1
    }
    expect(toB / 8000).toBeGreaterThan(0.72)
    expect(toB / 8000).toBeLessThan(0.78)
  })

  test('asks the least loaded first, by weight', () => {
    const accounts = [account('a'), account('b', { weight: 2 }), account('c')]
    const loads: Record<string, number> = { a: 3, b: 5, c: 2 }
    const loadOf = ({ id }: Account) => loads[id] ?? 0
    for (let n = 0; n < 50; n += 1) {
      expect(ids(orderAccounts(accounts, { ...idle, loadOf, random: n / 50 }))).toEqual([
        'c',
        'b',
        'a',
      ])
    }
  })

  test('keeps loads level by weight, whatever is drawn', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 6 })
    fc.assert(
      fc.property(
        weights,
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        (given, draws) => {
          const accounts = given.map((weight, n) => account(`a${n}`, { weight }))
          const loads = new Map<string, number>()
          const loadOf = ({ id }: Account) => loads.get(id) ?? 0
          for (const random of draws) {
            const [first] = orderAccounts(accounts, { ...idle, loadOf, random })
            if (first === undefined) break
            loads.set(first.id, loadOf(first) + 1)
            if ([...loads.values()].reduce((sum, load) => sum + load, 0) === 120) break
          }
          const total = given.reduce((sum, weight) => sum + weight, 0)
          for (const each of accounts) {
            expect(Math.abs(loadOf(each) - (120 * each.weight) / total)).toBeLessThanOrEqual(
              each.weight + 1,
            )
          }
        },
      ),
      { numRuns: 50 },
    )
  })

  test('keeps a session at its account however loaded, and a prompt while the load allows', () => {
    const [first = five[0] as Account] = orderAccounts(five, { ...idle, affinity: prompt('p') })
    const loaded = (load: number) => ({
      ...idle,
      loadOf: (each: Account) => (each.id === first.id ? load : 0),
    })
    const after = (affinity: Affinity, load: number) =>
      orderAccounts(five, { ...loaded(load), affinity })[0]?.id
    // Half of its slots are for free; beyond, it may have only a little more than its share.
    expect(after(prompt('p'), 24)).toBe(first.id)
    expect(after(prompt('p'), 25)).not.toBe(first.id)
    expect(after(session('p'), 49)).toBe(first.id)
  })

  test('leaves a session for another account while its own is shut, but never a thread', () => {
    const affinity = session('s')
    const [first] = orderAccounts(five, { ...idle, affinity })
    const isShut = ({ id }: Account) => id === first?.id
    expect(orderAccounts(five, { ...idle, affinity, isShut }).at(-1)).toBe(first)
    const thread: Affinity = { key: 's', strength: 'thread' }
    expect(orderAccounts(five, { ...idle, affinity: thread, isShut })[0]).toBe(first)
  })

  test('goes to the account that served its session last, but never to a backup or a shut one before others', () => {
    const order = (accounts: readonly Account[], more: Partial<RoutingAsk> = {}) =>
      ids(
        orderAccounts(accounts, { ...idle, affinity: { ...session('s'), account: 'd' }, ...more }),
      )
    const usual = ids(orderAccounts(five, { ...idle, affinity: session('s') }))
    expect(order(five)).toEqual(['d', ...usual.filter((id) => id !== 'd')])
    expect(order(five, { isShut: ({ id }) => id === 'd' }).at(-1)).toBe('d')
    const withBackup = five.map((each) => (each.id === 'd' ? { ...each, backup: true } : each))
    expect(order(withBackup).at(-1)).toBe('d')
    expect(order(five.filter(({ id }) => id !== 'd'))).toEqual(usual.filter((id) => id !== 'd'))
  })
})

describe('hashPromptPrefix', () => {
  const hashOf = (body: unknown): string | null => {
    const bytes = new TextEncoder().encode(JSON.stringify(body))
    const scan = scanMessageRequest(bytes)
    if (scan.kind !== 'ok') throw new Error(scan.message)
    return hashPromptPrefix(bytes, scan.facts.prompt)
  }
  const user = (content: string) => ({ role: 'user', content })
  const base = { model: 'm', max_tokens: 9, messages: [user('Hi')] }
  const long = 'You are careful, and say what you do. '.repeat(80)

  test('is none for what no model would cache', () => {
    expect(hashOf({ ...base, system: 'short' })).toBeNull()
  })

  test('is the same for calls that share their tools and system prompt, whatever they ask', () => {
    const one = hashOf({ ...base, system: long })
    expect(one).not.toBeNull()
    expect(hashOf({ ...base, stream: true, system: long, messages: [user('Else')] })).toBe(one)
    expect(hashOf({ ...base, system: `Not so. ${long}` })).not.toBe(one)
    expect(hashOf({ ...base, system: long, tools: [{ name: 'x' }] })).not.toBe(one)
  })

  test('is the same for each turn of a conversation that has little else', () => {
    const first = user(`${long} "quoted, {[" \\\\ `)
    const turns = [first, { role: 'assistant', content: 'Well' }, user(long)]
    const hash = hashOf({ ...base, messages: [first] })
    expect(hash).not.toBeNull()
    expect(hashOf({ ...base, messages: turns })).toBe(hash)
    expect(hashOf({ ...base, messages: [user(`No: ${long}`), ...turns] })).not.toBe(hash)
    const short = [user('Hi'), { role: 'assistant', content: long }]
    expect(hashOf({ ...base, messages: [...short, user('a')] })).toBe(
      hashOf({ ...base, messages: [...short, user('a'), ...short] }),
    )
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

describe('planSecondTry', () => {
  const bounds = { baseMs: 500, maxMs: 8000, retryAfterMaxMs: 30_000 }
  const moment = { attempt: 2, random: 0.5, now: 1_000 }
  const tried = (name: string, failedAt: number, changes: Partial<Tried> = {}): Tried => ({
    account: name,
    failedAt,
    retryAfterMs: null,
    mayRecover: true,
    ...changes,
  })

  test('asks the one that failed first, after a wait with jitter', () => {
    expect(planSecondTry(bounds, [tried('a', 900), tried('b', 950)], moment)).toEqual({
      accounts: ['a', 'b'],
      delayMs: 500,
    })
  })

  test('asks the one that Claude lets come back soonest, and no other too early', () => {
    const waits = [tried('a', 900, { retryAfterMs: 5_000 }), tried('b', 950, { retryAfterMs: 900 })]
    expect(planSecondTry(bounds, waits, moment)).toEqual({ accounts: ['b'], delayMs: 850 })
  })

  test('believes the last word of an account', () => {
    const words = [tried('a', 100, { mayRecover: false }), tried('a', 900)]
    expect(planSecondTry(bounds, words, moment)?.accounts).toEqual(['a'])
    expect(planSecondTry(bounds, words.toReversed(), moment)).toBeNull()
  })

  test('asks nobody who will say the same, or wants to be left alone for longer than we obey', () => {
    const never = [
      tried('a', 900, { mayRecover: false }),
      tried('b', 900, { retryAfterMs: 30_001 }),
    ]
    expect(planSecondTry(bounds, never, moment)).toBeNull()
    expect(planSecondTry(bounds, [], moment)).toBeNull()
  })

  test('is never earlier than any account that it names allows', () => {
    const any = fc.record({
      account: fc.constantFrom('a', 'b', 'c'),
      failedAt: fc.integer({ min: 0, max: 1_000 }),
      retryAfterMs: fc.option(fc.nat(40_000)),
      mayRecover: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(any, { maxLength: 6 }), (words) => {
        const plan = planSecondTry(bounds, words, moment)
        if (plan === null) return
        expect(plan.accounts.length).toBeGreaterThan(0)
        for (const name of plan.accounts) {
          const last = words.findLast((word) => word.account === name)
          expect(last?.mayRecover).toBe(true)
          expect(moment.now + plan.delayMs).toBeGreaterThanOrEqual(
            (last?.failedAt ?? 0) + (last?.retryAfterMs ?? 0),
          )
        }
      }),
    )
  })
})

describe('refusalOf', () => {
  const NOW = 1_000_000
  const none = { lane: 'normal', queuedMs: 0 } as const
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
    expect(refusalOf([refusal(reason)], NOW, none)).toMatchObject({ reason: told, status })
  })

  test('tells what waiting mends soonest, and the first moment at which any account may be tried', () => {
    const refusals = [
      refusal('open', NOW + 60_000),
      refusal('throttled', NOW + 5000),
      refusal('parked'),
    ]
    expect(refusalOf(refusals, NOW, none)).toMatchObject({
      reason: 'accounts_throttled',
      retryAfterMs: 5000,
    })
  })

  test('says no time where none is known, and none in the past', () => {
    expect(refusalOf([refusal('parked')], NOW, none).retryAfterMs).toBeNull()
    expect(refusalOf([refusal('open', NOW - 1)], NOW, none).retryAfterMs).toBe(0)
  })

  test('says where and how long the call waited', () => {
    const error = refusalOf([refusal('queue_timeout')], NOW, { lane: 'low', queuedMs: 600.4 })
    expect(error.message).toContain('(waited 600 ms in lane low)')
    expect(error.headers).toEqual({ 'sluice-queued-ms': '600' })
  })
})
