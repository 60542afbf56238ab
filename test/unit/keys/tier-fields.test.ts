import { expect, test } from 'vitest'
import { readTier, TierError } from '../../../src/core/money/tier-fields.ts'

const free = {
  name: 'free',
  requests_per_minute: 10,
  requests_per_hour: 1_000,
  max_concurrent: 2,
  input_tokens_per_minute: 50_000,
  output_tokens_per_minute: 10_000,
  budget_usd_per_day: 1,
  budget_usd_per_month: null,
  lane: 'low',
  on_overload: 'reject',
  downgrade_to: null,
  max_wait_ms: null,
}

test('a tier is read from the names of the wire', () => {
  expect(readTier(free)).toEqual({
    name: 'free',
    requestsPerMinute: 10,
    requestsPerHour: 1_000,
    maxConcurrent: 2,
    inputTokensPerMinute: 50_000,
    outputTokensPerMinute: 10_000,
    budgetUsdPerDay: 1,
    budgetUsdPerMonth: null,
    lane: 'low',
    onOverload: 'reject',
    downgradeTo: null,
    maxWaitMs: null,
  })
})

test('a tenant differs from its tier in the fields that it overrides, never in the name', () => {
  const overrides = { requests_per_minute: null, budget_usd_per_day: 2.5, name: 'mine' }
  expect(readTier(free, overrides)).toMatchObject({
    name: 'free',
    requestsPerMinute: null,
    requestsPerHour: 1_000,
    budgetUsdPerDay: 2.5,
  })
})

test.each([
  { requests_per_minute: undefined },
  { requests_per_minute: '10' },
  { requests_per_hour: -1 },
  { max_concurrent: 1.5 },
  { input_tokens_per_minute: Number.NaN },
  { budget_usd_per_day: Infinity },
  { lane: 'fast' },
  { on_overload: null },
  { downgrade_to: '' },
])('a limit that is not understood is an error, never no limit: %j', (bad) => {
  expect(() => readTier({ ...free, ...bad })).toThrow(TierError)
  expect(() => readTier(free, bad)).toThrow(TierError)
})
