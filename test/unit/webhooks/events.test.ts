// What is told, by whom it is heard, and under which key: one of each thing that happened.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { passedThresholds } from '../../../src/core/money/ledger/thresholds.ts'
import { dayOf, monthOf } from '../../../src/core/money/ledger/periods.ts'
import { createBudgetNews } from '../../../src/adapters/webhooks/budget-news.ts'
import {
  deadLetterEvent,
  doorEvent,
  OPERATOR,
  type WebhookEvent,
} from '../../../src/core/webhooks/event.ts'
import { limits } from '../../support/ledger.ts'

const NOON = Date.parse('2026-11-21T12:00:00Z')
const entry = {
  at: NOON,
  kind: 'account',
  modelClass: null,
  from: 'closed',
  to: 'open',
  cause: 'x',
}

describe('a change of a door', () => {
  it.each([
    ['account', 'closed', 'open', 'account.opened'],
    ['breaker', 'closed', 'open', 'account.opened'],
    ['account', 'closed', 'parked', 'account.opened'],
    ['account', 'manual', 'closed', 'account.closed'],
    ['account', 'parked', 'manual', null],
    ['breaker', 'half_open', 'closed', 'account.closed'],
    ['breaker', 'open', 'closed', 'account.closed'],
    ['breaker', 'open', 'half_open', null],
    ['breaker', 'half_open', 'open', null],
    ['account', 'closed', 'closed', null],
    ['limit', '5', '4', null],
    ['organization', 'closed', 'open', null],
  ] as const)('%s from %s to %s is told as %s', (kind, from, to, type) => {
    const event = doorEvent('main', 3, { ...entry, kind, from, to })
    expect(event?.type ?? null).toBe(type)
    if (event !== null) expect(event.owner).toBe(OPERATOR)
  })

  it('has a key of its own', () => {
    const keyOf = (account: string, seq: number) =>
      doorEvent(account, seq, { ...entry, kind: 'account' })?.key
    expect(keyOf('a', 1)).toBe(keyOf('a', 1))
    expect(new Set([keyOf('a', 1), keyOf('a', 2), keyOf('b', 1)]).size).toBe(3)
  })
})

it('a dead letter tells of the job and never of what was asked', () => {
  const letter = {
    tenant: 'acme',
    jobId: 'job_1',
    round: 1,
    lane: 'low',
    attempts: 4,
    reason: 'upstream_reset',
    at: NOON,
  }
  expect(JSON.parse(deadLetterEvent(letter).body)).toEqual({
    type: 'dead_letter.added',
    timestamp: '2026-11-21T12:00:00.000Z',
    data: { tenant: 'acme', job: 'job_1', lane: 'low', attempts: 4, reason: 'upstream_reset' },
  })
  expect(deadLetterEvent({ ...letter, round: 2 }).key).not.toBe(deadLetterEvent(letter).key)
})

describe('the marks of a budget', () => {
  const ledger = (day: number, month: number) => ({
    days: new Map([[dayOf(NOON), day]]),
    months: new Map([[monthOf(NOON), month]]),
  })

  it('are passed at 75, 95 and 100 percent, of the day and of the month', () => {
    const budget = limits({ dayNanoUsd: 1_000, monthNanoUsd: 10_000 })
    const marks = (day: number, month = 0) =>
      passedThresholds(ledger(day, month), budget, NOON).map(
        ({ periodName, percent }) => `${periodName} ${percent}`,
      )
    expect(marks(749)).toEqual([])
    expect(marks(750)).toEqual(['2026-11-21 75'])
    expect(marks(949)).toEqual(['2026-11-21 75'])
    expect(marks(950)).toEqual(['2026-11-21 75', '2026-11-21 95'])
    expect(marks(5_000, 7_500)).toEqual([
      '2026-11-21 75',
      '2026-11-21 95',
      '2026-11-21 100',
      '2026-11 75',
    ])
  })

  it('are none of no budget, and never fewer after more was spent', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.nat(10_000), fc.nat(2_000), (spent, more, budget) => {
        const of = (day: number) =>
          passedThresholds(
            ledger(day, day),
            limits({ dayNanoUsd: budget, monthNanoUsd: null }),
            NOON,
          )
        expect(of(spent).length).toBeLessThanOrEqual(of(spent + more).length)
        if (budget === 0) expect(of(spent)).toEqual([])
      }),
    )
  })

  it('are told once to the operator and the tenant, and again only where that failed', async () => {
    const told: WebhookEvent[] = []
    const works: Promise<unknown>[] = []
    let isDown = true
    const news = createBudgetNews({
      webhooks: {
        async tell(event) {
          if (isDown) throw new Error('down')
          told.push(event)
        },
      },
      now: () => NOON,
      defer: (work) => void works.push(work),
    })
    const passed = passedThresholds(ledger(800, 0), limits({ dayNanoUsd: 1_000 }), NOON)
    news('acme', passed)
    await Promise.all(works)
    expect(told).toEqual([])
    isDown = false
    news('acme', passed)
    news('acme', passed)
    await Promise.all(works)
    expect(told.map(({ owner }) => owner)).toEqual([OPERATOR, 'acme'])
    expect(JSON.parse(told[0]?.body ?? '')).toMatchObject({
      type: 'budget.threshold',
      data: {
        tenant: 'acme',
        period: 'day',
        period_name: '2026-11-21',
        percent: 75,
        spent_usd: 800e-9,
        budget_usd: 1e-6,
      },
    })
  })
})
