import { expect, test } from 'vitest'
import { BoundedMap } from '../../../src/core/limits/bounded-map.ts'
import { rateLimitHeaders } from '../../../src/core/limits/headers.ts'
import {
  describeWindows,
  refusingWindows,
  windowRulesOf,
} from '../../../src/core/limits/request-windows.ts'
import { tierWith } from '../../support/callers.ts'

const rules = windowRulesOf(tierWith({ requestsPerMinute: 10, requestsPerHour: 1_000 }))
const outcome = {
  admitted: false,
  retryAfterMs: 900,
  usage: [
    { used: 10, resetMs: 59_001 },
    { used: 400, resetMs: 0 },
  ],
}

test('the headers name each window with its quota, its length, what remains and its reset', () => {
  expect(rateLimitHeaders(describeWindows(rules, outcome))).toEqual({
    'ratelimit-policy': '"minute";q=10;w=60, "hour";q=1000;w=3600',
    ratelimit: '"minute";r=0;t=60, "hour";r=600;t=0',
  })
})

test('a caller without limits gets no headers', () => {
  const unlimited = windowRulesOf(tierWith({ requestsPerMinute: null, requestsPerHour: null }))
  expect(unlimited).toEqual([])
  expect(rateLimitHeaders(describeWindows(unlimited, { ...outcome, usage: [] }))).toBeNull()
})

test('a refusal names the windows without room', () => {
  expect(refusingWindows(rules, outcome)).toEqual(['minute'])
})

test('a lowered limit leaves nothing, not less than nothing', () => {
  const [window] = describeWindows(rules, { ...outcome, usage: [{ used: 11, resetMs: 1 }] })
  expect(window).toMatchObject({ remaining: 0, resetSeconds: 1 })
})

test('a bounded map forgets what was not set for longest', () => {
  const map = new BoundedMap<number>(2)
  map.set('a', 1)
  map.set('b', 2)
  map.set('a', 3)
  map.set('c', 4)
  expect([map.get('a'), map.get('b'), map.get('c'), map.size]).toEqual([3, undefined, 4, 2])
})
