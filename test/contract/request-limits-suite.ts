// What every RequestLimits does, wherever it counts. Time is an argument: no test waits.
import { beforeEach, describe, expect, test } from 'vitest'
import type { Caller, LimitDecision, RequestLimits } from '../../src/ports.ts'
import { callerWith } from '../support/callers.ts'

export interface LimitsUnderTest {
  limits: RequestLimits
  clock: { now: number }
}

const TEN = { requestsPerMinute: 10, requestsPerHour: 1_000 }
let tenants = 0

/** Each caller is a tenant of its own, so that tests share nothing but the store. */
export function newCaller(tier: Parameters<typeof callerWith>[0], changes: Partial<Caller> = {}) {
  tenants += 1
  return callerWith(tier, { tenant: `tenant-${tenants}`, ...changes })
}

export async function takeMany(
  limits: RequestLimits,
  caller: Caller,
  count: number,
): Promise<LimitDecision[]> {
  const decisions: LimitDecision[] = []
  for (let index = 0; index < count; index += 1) decisions.push(await limits.take(caller))
  return decisions
}

export const countAllowed = (decisions: readonly LimitDecision[]): number =>
  decisions.filter((decision) => decision.kind === 'allowed').length

export function describeRequestLimits(adapter: string, open: () => LimitsUnderTest): void {
  describe(`request limits: ${adapter}`, () => {
    let limits: RequestLimits
    let clock: { now: number }
    beforeEach(() => {
      ;({ limits, clock } = open())
    })

    test('tell of every window what is left of it', async () => {
      const caller = newCaller(TEN)
      await limits.take(caller)
      clock.now += 1_500
      expect(await limits.take(caller)).toEqual({
        kind: 'allowed',
        degraded: false,
        windows: [
          { name: 'minute', limit: 10, remaining: 8, windowSeconds: 60, resetSeconds: 60 },
          { name: 'hour', limit: 1_000, remaining: 998, windowSeconds: 3_600, resetSeconds: 3_600 },
        ],
      })
    })

    test('admit as many as the limit, then refuse, and say exactly for how long', async () => {
      const caller = newCaller(TEN)
      for (let index = 0; index < 10; index += 1) {
        expect(await limits.take(caller)).toMatchObject({ kind: 'allowed' })
        clock.now += 700
      }
      const refusal = await limits.take(caller)
      expect(refusal).toMatchObject({
        kind: 'refused',
        refusedBy: ['minute'],
        retryAfterMs: 53_000,
        degraded: false,
      })
      clock.now += 52_999
      expect(await limits.take(caller)).toMatchObject({ kind: 'refused', retryAfterMs: 1 })
      clock.now += 1
      expect(await limits.take(caller)).toMatchObject({ kind: 'allowed' })
      expect(await limits.take(caller)).toMatchObject({ kind: 'refused', retryAfterMs: 700 })
    })

    test('admit exactly the limit of 200 requests at once', async () => {
      const caller = newCaller({ requestsPerMinute: 100, requestsPerHour: 10_000 })
      const all = await Promise.all(Array.from({ length: 200 }, () => limits.take(caller)))
      expect(countAllowed(all)).toBe(100)
      expect(all.some((decision) => decision.degraded)).toBe(false)
    })

    test('use nothing up by refusing: the hour is left to the requests that were admitted', async () => {
      const caller = newCaller({ requestsPerMinute: 3, requestsPerHour: 5 })
      expect(countAllowed(await takeMany(limits, caller, 50))).toBe(3)
      clock.now += 60_000
      const second = await takeMany(limits, caller, 50)
      expect(countAllowed(second)).toBe(2)
      expect(second.at(-1)).toMatchObject({ refusedBy: ['hour'], retryAfterMs: 3_540_000 })
    })

    test('refuse by every window that is full, until the last of them has room', async () => {
      const caller = newCaller({ requestsPerMinute: 2, requestsPerHour: 2 })
      const decisions = await takeMany(limits, caller, 3)
      expect(decisions[2]).toMatchObject({
        refusedBy: ['minute', 'hour'],
        retryAfterMs: 3_600_000,
      })
    })

    test('keep tenants apart', async () => {
      const [one, other] = [newCaller(TEN), newCaller(TEN)]
      await takeMany(limits, one, 11)
      expect(await limits.take(other)).toMatchObject({ kind: 'allowed' })
    })

    test('hold no one who has no limits, and count for one who has one', async () => {
      const unlimited = newCaller({ requestsPerMinute: null, requestsPerHour: null })
      expect(await limits.take(unlimited)).toEqual({
        kind: 'allowed',
        windows: [],
        degraded: false,
      })
      const hourly = newCaller({ requestsPerMinute: null, requestsPerHour: 1 })
      expect(await takeMany(limits, hourly, 2)).toMatchObject([
        { kind: 'allowed', windows: [{ name: 'hour', remaining: 0 }] },
        { kind: 'refused', refusedBy: ['hour'] },
      ])
    })

    test('take a limit that was changed at once', async () => {
      const caller = newCaller({ requestsPerMinute: 1, requestsPerHour: null })
      expect(countAllowed(await takeMany(limits, caller, 2))).toBe(1)
      const raised = callerWith(
        { requestsPerMinute: 2, requestsPerHour: null },
        { tenant: caller.tenant },
      )
      expect(await limits.take(raised)).toMatchObject({ kind: 'allowed' })
      expect(await limits.take(raised)).toMatchObject({ kind: 'refused' })
    })

    test('give back what is refunded, and no more than was taken', async () => {
      const caller = newCaller(TEN)
      await limits.refund(caller)
      await takeMany(limits, caller, 11)
      await limits.refund(caller)
      const after = await takeMany(limits, caller, 2)
      expect(after.map((decision) => decision.kind)).toEqual(['allowed', 'refused'])
    })

    test('show what is left without counting', async () => {
      const caller = newCaller(TEN)
      expect(await limits.peek(caller)).toMatchObject([
        { name: 'minute', remaining: 10, resetSeconds: 0 },
        { name: 'hour', remaining: 1_000, resetSeconds: 0 },
      ])
      await takeMany(limits, caller, 4)
      await limits.peek(caller)
      expect(await limits.peek(caller)).toMatchObject([
        { name: 'minute', remaining: 6, resetSeconds: 60 },
        { name: 'hour', remaining: 996, resetSeconds: 3_600 },
      ])
      expect(
        await limits.peek(newCaller({ requestsPerMinute: null, requestsPerHour: null })),
      ).toEqual([])
    })

    test('answer a ping', async () => {
      await expect(limits.ping()).resolves.toBeUndefined()
    })
  })
}
