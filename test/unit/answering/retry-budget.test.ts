import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  earnRetry,
  openRetryBudget,
  RETRY_RESERVE,
  spendRetry,
} from '../../../src/core/answering/retry-budget.ts'

/** Runs calls that succeed or not; a failed one is retried (and fails again) where the budget lets it. */
function retriesOf(outcomes: readonly boolean[], ratio: number): number {
  let budget = openRetryBudget()
  let retries = 0
  for (const succeeded of outcomes) {
    if (succeeded) budget = earnRetry(budget, ratio)
    const left = succeeded ? null : spendRetry(budget)
    if (left === null) continue
    budget = left
    retries += 1
  }
  return retries
}

test('retries are at most the reserve and the share of what succeeded', () => {
  const ratio = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 500 }), ratio, (outcomes, share) => {
      const succeeded = outcomes.filter(Boolean).length
      expect(retriesOf(outcomes, share)).toBeLessThanOrEqual(
        RETRY_RESERVE + succeeded * share + 1e-6,
      )
    }),
  )
})

test('a total outage costs the reserve and no more, however long it lasts', () => {
  expect(
    retriesOf(
      Array.from({ length: 10_000 }, () => false),
      0.2,
    ),
  ).toBe(RETRY_RESERVE)
})

test('five successes earn the one retry that the reserve no longer has', () => {
  const spent = Array.from({ length: RETRY_RESERVE }, () => false)
  expect(retriesOf([...spent, true, true, true, true, false], 0.2)).toBe(RETRY_RESERVE)
  expect(retriesOf([...spent, true, true, true, true, true, false], 0.2)).toBe(RETRY_RESERVE + 1)
})

test('a rare failure among many successes is always retried', () => {
  const outcomes = Array.from({ length: 1000 }, (_, n) => n % 6 !== 5)
  expect(retriesOf(outcomes, 0.2)).toBe(outcomes.filter((succeeded) => !succeeded).length)
})
