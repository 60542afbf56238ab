// What every adapter of Ledgers promises, whatever carries it.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LedgerAsk, LedgerLimits } from '../../src/core/money/ledger/words.ts'
import { type GroupField, GROUP_FIELDS, sumBy } from '../../src/core/money/usage-report.ts'
import type { Ledgers, UsageReader } from '../../src/ports.ts'
import { billOf, ledgerAsk, limits, unlimited } from '../support/ledger.ts'

export interface LedgersUnderTest {
  readonly ledgers: Ledgers
  readonly usage: UsageReader
  stop(): void
}

export function describeLedgers(name: string, make: () => LedgersUnderTest): void {
  describe(`${name} ledgers`, () => {
    let under: LedgersUnderTest
    let ledgers: Ledgers
    let tenant: string
    beforeEach(() => {
      under = make()
      ledgers = under.ledgers
      tenant = crypto.randomUUID()
    })
    afterEach(() => under.stop())

    const askFor = (id: string, change: Partial<LedgerAsk> = {}): LedgerAsk =>
      ledgerAsk(`${tenant}/${id}`, { tenant, at: Date.now(), ...change })
    const end = (ask: LedgerAsk, outputTokens: number): Promise<void> =>
      ledgers.settle(ask.tenant, { id: ask.id, usage: billOf(ask, outputTokens), tookMs: 5 })
    const kinds = async (ids: readonly string[], held: LedgerLimits): Promise<string[]> => {
      const asks = ids.map((id) => ledgers.reserve(askFor(id, { limits: held })))
      return (await Promise.all(asks)).map(({ kind }) => kind)
    }
    const today = new Date().toISOString().slice(0, 10)
    const rows = (groupBy: readonly GroupField[] = GROUP_FIELDS) =>
      under.usage.findUsage({ tenant, from: today, to: today, groupBy })

    test('admit up to the limit and refuse beyond it', async () => {
      const two = limits({ maxConcurrent: 2 })
      expect(await kinds(['a', 'b', 'c'], two)).toEqual(['granted', 'granted', 'refused'])
      await end(askFor('a'), 1)
      expect(await kinds(['c', 'd'], two)).toEqual(['granted', 'refused'])
    })

    test('keep the tenants apart', async () => {
      const one = limits({ maxConcurrent: 1 })
      await kinds(['a'], one)
      const other = askFor('b', { limits: one, tenant: `${tenant}-other` })
      expect(await ledgers.reserve(other)).toMatchObject({ kind: 'granted' })
    })

    test('of two hundred at once let in as many as may', async () => {
      const ids = Array.from({ length: 200 }, (_, index) => `c${index}`)
      const answers = await kinds(ids, limits({ maxConcurrent: 50 }))
      expect(answers.filter((kind) => kind === 'granted')).toHaveLength(50)
      expect(answers.filter((kind) => kind === 'refused')).toHaveLength(150)
    })

    test('bill a call once, however often its end is told, and show it at once', async () => {
      const ask = askFor('a')
      await ledgers.reserve(ask)
      await Promise.all([end(ask, 90), end(ask, 90)])
      await end(ask, 90)
      expect(await rows()).toMatchObject([{ requests: 1, outputTokens: 90, costNanoUsd: 1_000 }])
      const report = await ledgers.report(tenant, limits({ dayNanoUsd: 5_000 }))
      expect(report).toMatchObject({
        spentDayNanoUsd: 1_000,
        running: 0,
        left: { dayNanoUsd: 4_000, monthNanoUsd: null },
      })
    })

    test('tell what was used by the fields that are asked for', async () => {
      for (const [id, user, model] of [
        ['a', 'ann', 'claude-opus-5'],
        ['b', 'ben', 'claude-opus-5'],
        ['c', 'ann', 'claude-haiku-5-5'],
      ] as const) {
        await end(askFor(id, { user, model }), 90)
      }
      const by = async (field: 'user' | 'model') =>
        sumBy(await rows([field]), [field])
          .map((row) => [row[field], row.requests, row.outputTokens, row.costNanoUsd])
          .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1))
      expect(await by('user')).toEqual([
        ['ann', 2, 180, 2_000],
        ['ben', 1, 90, 1_000],
      ])
      expect(await by('model')).toEqual([
        ['claude-haiku-5-5', 1, 90, 1_000],
        ['claude-opus-5', 2, 180, 2_000],
      ])
      const yesterday = { from: '2026-01-01', to: '2026-01-02', groupBy: GROUP_FIELDS }
      expect(await under.usage.findUsage({ tenant, ...yesterday })).toEqual([])
    })

    test('bill a call that was never reserved', async () => {
      await end(askFor('a'), 90)
      expect(await rows()).toMatchObject([{ requests: 1, costNanoUsd: 1_000 }])
    })

    test('refuse on money once it is spent, naming the limit and its time', async () => {
      const ask = askFor('a', { limits: limits({ dayNanoUsd: 1_000, monthNanoUsd: 1_000 }) })
      await ledgers.reserve(ask)
      await end(ask, 90)
      const answer = await ledgers.reserve({ ...ask, id: `${tenant}/b` })
      expect(answer).toMatchObject({
        kind: 'refused',
        refusals: [{ name: 'budget_day' }, { name: 'budget_month' }],
      })
    })

    test('give a refused call nothing to give back', async () => {
      const one = limits({ maxConcurrent: 1 })
      expect(await kinds(['a', 'b'], one)).toEqual(['granted', 'refused'])
      await ledgers.settle(tenant, { id: askFor('a').id, usage: null, unused: true })
      expect(await kinds(['c'], one)).toEqual(['granted'])
      expect(await rows()).toEqual([])
    })

    test('keep a renewed call, and end one that is not', async () => {
      const brief = { ttlMs: 250, limits: limits({ maxConcurrent: 2 }) }
      const kept = askFor('a', brief)
      await ledgers.reserve(kept)
      await ledgers.reserve(askFor('b', brief))
      const renewal = { allowanceNanoUsd: null, progress: null }
      const renewed = { ask: { ...kept, ttlMs: 60_000 }, ...renewal }
      expect(await ledgers.renew(renewed)).toMatchObject({ kind: 'go' })
      await expect
        .poll(async () => (await ledgers.report(tenant, unlimited)).running, { timeout: 3_000 })
        .toBe(1)
      expect(await rows()).toMatchObject([{ requests: 1, outputTokens: 1_000 }])
      await end(kept, 1)
      expect(await ledgers.renew(renewed)).toEqual({ kind: 'ended' })
    })

    test('lend a stream no more than the others leave, and end it there', async () => {
      const budget = { stream: true, limits: limits({ dayNanoUsd: 8_000 }) }
      const [long, short] = [
        askFor('a', { ...budget, maxOutputTokens: 100_000 }),
        askFor('b', { ...budget, maxOutputTokens: 500 }),
      ]
      expect(await ledgers.reserve(long)).toMatchObject({ allowanceNanoUsd: 8_000 })
      expect(await ledgers.reserve(short)).toMatchObject({ kind: 'granted' })
      const tells = (ask: LedgerAsk, outputTokens: number) =>
        ledgers.renew({ ask, allowanceNanoUsd: null, progress: billOf(ask, outputTokens) })
      await tells(short, 290)
      expect(await tells(long, 200)).toMatchObject({ kind: 'go', allowanceNanoUsd: 5_000 })
      expect(await tells(long, 490)).toMatchObject({
        kind: 'stop',
        refusals: [{ name: 'budget_day', limit: 8_000 }],
      })
    })

    test('count a browser token for itself', async () => {
      const token = {
        id: 't',
        maxRequests: 2,
        budgetNanoUsd: null,
        expiresAt: Date.now() + 60_000,
      }
      const answers = await Promise.all(
        ['a', 'b', 'c'].map((id) => ledgers.reserve(askFor(id, { token }))),
      )
      expect(answers.map(({ kind }) => kind)).toEqual(['granted', 'granted', 'refused'])
    })

    test('only tell what would refuse, when asked so', async () => {
      const one = limits({ maxConcurrent: 1 })
      await ledgers.reserve(askFor('x', { limits: one, dry: true }))
      expect(await kinds(['a', 'b'], one)).toEqual(['granted', 'refused'])
    })
  })
}
