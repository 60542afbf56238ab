import { expect, test } from 'vitest'
import { memoryRequestLimits } from '../../src/adapters/memory/request-limits.ts'
import { upstashRequestLimits } from '../../src/adapters/upstash/request-limits.ts'
import { describeAroundLimits } from './around-limits-suite.ts'
import { countAllowed, describeRequestLimits, newCaller, takeMany } from './request-limits-suite.ts'

const newClock = () => ({ now: 1_780_000_000_000 })

describeRequestLimits('memory', () => {
  const clock = newClock()
  return { clock, limits: memoryRequestLimits({ now: () => clock.now }) }
})

describeRequestLimits('Upstash, not configured', () => {
  const clock = newClock()
  return { clock, limits: upstashRequestLimits({ redis: null, now: () => clock.now }) }
})

describeAroundLimits('memory', (around) => {
  const clock = newClock()
  return { clock, limits: memoryRequestLimits({ around, now: () => clock.now }) }
})

test('an isolate counts a bounded number of tenants', async () => {
  const clock = newClock()
  const limits = memoryRequestLimits({ now: () => clock.now, mostTenants: 2 })
  const callers = Array.from({ length: 3 }, () => newCaller({ requestsPerMinute: 1 }))
  for (const caller of callers) await limits.take(caller)
  const again = await Promise.all(callers.toReversed().map((caller) => limits.take(caller)))
  expect(again.map((decision) => decision.kind)).toEqual(['refused', 'refused', 'allowed'])
  expect(countAllowed(await takeMany(limits, newCaller({ requestsPerMinute: 1 }), 2))).toBe(1)
})
