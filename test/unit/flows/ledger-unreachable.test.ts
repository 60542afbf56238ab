// A tenant's ledger that cannot be reached: no call of a tenant whose limits only the ledger knows, and every call of the
// others, whose bills are told when it is back.
import { afterEach, expect, it } from 'vitest'
import type { Tier } from '../../../src/core/money/tier.ts'
import { type House, message, openHouse } from '../../support/house.ts'

let house: House
afterEach(() => house.stop())

const UNLIMITED: Partial<Tier> = {
  maxConcurrent: null,
  inputTokensPerMinute: null,
  outputTokensPerMinute: null,
  budgetUsdPerDay: null,
  budgetUsdPerMonth: null,
}

let isUp = false
const open = async (tier: Partial<Tier>): Promise<void> => {
  isUp = false
  house = await openHouse({
    tier: { ...UNLIMITED, ...tier },
    answer: () => message(),
    ledgers: (own) => ({
      ...own,
      reserve: async (ask) => (isUp ? own.reserve(ask) : { kind: 'unavailable' }),
      settle: async (...bill) => {
        if (!isUp) throw new Error('down')
        return own.settle(...bill)
      },
    }),
  })
}

it.each([
  ['a limit of concurrent calls', { maxConcurrent: 5 }],
  ['a budget of the day', { budgetUsdPerDay: 1 }],
  ['a budget of the month', { budgetUsdPerMonth: 1 }],
])('a tenant with %s is refused, and nothing is held', async (_, tier) => {
  await open(tier)
  const answer = await house.ask()
  expect(answer.status).toBe(503)
  expect(answer.headers.get('sluice-reason')).toBe('ledger_unavailable')
  expect(answer.headers.get('x-should-retry')).toBe('true')
  expect(answer.headers.get('retry-after')).toBe('1')
  expect(await answer.json()).toMatchObject({ error: { type: 'overloaded_error' } })
  expect(house.sent).toEqual([])
  await house.settled()
  expect(house.inUse('alpha')).toBe(0)
  isUp = true
  expect((await house.ask()).status).toBe(200)
})

it.each([
  ['no limits', {}],
  ['limits of tokens a minute alone', { inputTokensPerMinute: 1_000, outputTokensPerMinute: 10 }],
])('a tenant with %s goes on, and what it costs is in the log', async (_, tier) => {
  await open(tier)
  expect((await house.ask()).status).toBe(200)
  await house.settled()
  expect(house.logs).toContainEqual(
    expect.objectContaining({ event: 'bill_not_told', cost_nano_usd: 3 * 2_000 + 5 * 10_000 }),
  )
})

it('a ledger that is back when the call ends is told its bill', async () => {
  await open({})
  const answering = house.ask()
  isUp = true
  expect((await answering).status).toBe(200)
  await house.settled()
  expect([...house.ledgers.bills.values()]).toMatchObject([{ inputTokens: 3, outputTokens: 5 }])
})
