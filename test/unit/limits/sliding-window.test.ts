import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  peekWindows,
  refundToWindows,
  takeFromWindows,
  type WindowLog,
  type WindowRule,
} from '../../../src/core/limits/sliding-window.ts'

const START = 1_780_000_000_000
const rule = (limit: number, windowMs = 60_000, name: WindowRule['name'] = 'minute') => ({
  name,
  limit,
  windowMs,
})
const rules = fc
  .tuple(fc.nat({ max: 120 }), fc.nat({ max: 400 }))
  .map(([perMinute, perHour]) => [rule(perMinute), rule(perHour, 3_600_000, 'hour')])
/** Gaps between requests: bursts, a steady flow, pauses. */
const gaps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 900 }) },
    { weight: 1, arbitrary: fc.integer({ min: 901, max: 90_000 }) },
  ),
  { maxLength: 400 },
)

/** Takes at each moment; the times of those that were admitted, and the logs that remain. */
function run(windows: readonly WindowRule[], times: readonly number[]) {
  let logs: readonly WindowLog[] = []
  const admitted: number[] = []
  for (const time of times) {
    const step = takeFromWindows(logs, windows, time)
    logs = step.logs
    if (step.outcome.admitted) admitted.push(time)
  }
  return { admitted, logs }
}

const timesOf = (steps: readonly number[]): number[] => {
  let time = START
  return steps.map((step) => (time += step))
}

describe('the windows', () => {
  test('never hold more than their limit, wherever one looks', () => {
    fc.assert(
      fc.property(rules, gaps, (windows, steps) => {
        const { admitted } = run(windows, timesOf(steps))
        for (const { limit, windowMs } of windows) {
          const over = admitted.findIndex((time, index) => {
            const other = admitted[index - limit]
            return other !== undefined && time - other < windowMs
          })
          expect(limit === 0 ? admitted.length - 1 : over).toBe(-1)
        }
      }),
    )
  })

  test('say the exact moment: one ms earlier is refused, then one is admitted', () => {
    fc.assert(
      fc.property(rules, gaps, (windows, steps) => {
        fc.pre(windows.every(({ limit }) => limit > 0))
        const times = timesOf(steps)
        const now = times.at(-1) ?? START
        const { logs } = run(windows, times)
        const { outcome } = takeFromWindows(logs, windows, now)
        if (outcome.admitted) {
          expect(outcome.retryAfterMs).toBe(0)
          return
        }
        const at = now + outcome.retryAfterMs
        expect(takeFromWindows(logs, windows, at - 1).outcome.admitted).toBe(false)
        expect(takeFromWindows(logs, windows, at).outcome.admitted).toBe(true)
      }),
    )
  })

  test('are not changed by what they refuse', () => {
    fc.assert(
      fc.property(rules, gaps, (windows, steps) => {
        const times = timesOf(steps)
        const now = times.at(-1) ?? START
        const { logs } = run(windows, times)
        const step = takeFromWindows(logs, windows, now)
        fc.pre(!step.outcome.admitted)
        expect(peekWindows(step.logs, windows, now)).toEqual(peekWindows(logs, windows, now))
      }),
    )
  })

  test('stay short however many requests they hold', () => {
    const windows = [rule(100_000, 3_600_000, 'hour')]
    let now = START
    let logs: readonly WindowLog[] = []
    let longest = 0
    for (let index = 0; index < 20_000; index += 1) {
      now += 173
      logs = takeFromWindows(logs, windows, now).logs
      longest = Math.max(longest, logs[0]?.length ?? 0)
    }
    expect(longest).toBeGreaterThan(10)
    expect(longest).toBeLessThanOrEqual(32)
  })

  test('let a steady caller have nearly all of its limit', () => {
    for (const limit of [10, 100, 1_000]) {
      const times = Array.from({ length: 30_000 }, (_, index) => START + index * 20)
      const { admitted } = run([rule(limit)], times)
      expect(admitted.length).toBeLessThanOrEqual(limit * 10)
      expect(admitted.length).toBeGreaterThan(limit * 10 * 0.9)
    }
  })

  test('hold together: a full hour leaves the minute as it was', () => {
    const windows = [rule(10), rule(2, 3_600_000, 'hour')]
    const { logs } = run(windows, [START, START + 1])
    const { outcome } = takeFromWindows(logs, windows, START + 2)
    expect(outcome).toEqual({
      admitted: false,
      retryAfterMs: 3_600_000 - 2,
      usage: [
        { used: 2, resetMs: 60_000 - 1 },
        { used: 2, resetMs: 3_600_000 - 1 },
      ],
    })
  })

  test('of a limit of 0 admit nothing, at any time', () => {
    const { outcome } = takeFromWindows([], [rule(0)], START)
    expect(outcome).toMatchObject({ admitted: false, retryAfterMs: 60_000 })
  })

  test('follow a limit that was lowered', () => {
    const { logs } = run([rule(10)], [START, START + 1_000, START + 2_000])
    const { outcome } = takeFromWindows(logs, [rule(2)], START + 3_000)
    expect(outcome).toMatchObject({ admitted: false, retryAfterMs: 58_000 })
  })

  test('count what a clock ahead of ours has written from now on, not from then', () => {
    const { logs } = run([rule(1)], [START + 3_600_000])
    const { outcome } = takeFromWindows(logs, [rule(1)], START)
    expect(outcome).toMatchObject({ admitted: false, retryAfterMs: 60_000 })
  })
})

describe('a refund', () => {
  test('right after a request leaves the windows with as many as before it', () => {
    fc.assert(
      fc.property(rules, gaps, (windows, steps) => {
        const times = timesOf(steps)
        const now = times.at(-1) ?? START
        const { logs } = run(windows, times)
        const step = takeFromWindows(logs, windows, now)
        fc.pre(step.outcome.admitted)
        const after = peekWindows(refundToWindows(step.logs, windows, now), windows, now)
        const before = peekWindows(logs, windows, now)
        expect(after.usage.map((window) => window.used)).toEqual(
          before.usage.map((window) => window.used),
        )
      }),
    )
  })

  test('of nothing gives nothing', () => {
    expect(refundToWindows([], [rule(1)], START)).toEqual([[]])
  })
})
