import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { separateWaits } from '../../src/adapters/separate-waits.ts'
import { openRedis } from '../support/redis-client.ts'
import { type Command, openCommands } from '../../src/adapters/upstash/commands.ts'
import { upstashRequestLimits } from '../../src/adapters/upstash/request-limits.ts'
import { WINDOWS_SCRIPT, WINDOWS_SCRIPT_HASH } from '../../src/adapters/upstash/windows-script.ts'
import { countInRedis } from '../../src/adapters/upstash/windows-limiter.ts'
import { aroundRulesOf, windowRulesOf } from '../../src/core/limits/request-windows.ts'
import {
  peekWindows,
  refundToWindows,
  takeFromWindows,
  type WindowLog,
  type WindowRule,
  type WindowsStep,
} from '../../src/core/limits/sliding-window.ts'
import { type RedisBridge, startRedisBridge } from '../../tools/redis/server.ts'
import { hasRealRedis, startRealRedis } from './redis/real-redis.ts'
import { describeAroundLimits } from './around-limits-suite.ts'
import { describeRequestLimits, newCaller, takeMany } from './request-limits-suite.ts'

const TIMEOUT_MS = 5_000
const TEN = { requestsPerMinute: 10, requestsPerHour: 1_000 }

function describeUpstash(store: string, start: () => Promise<RedisBridge>): void {
  describe(`with ${store}`, () => {
    let bridge: RedisBridge
    const clock = { now: 1_780_000_000_000 }
    const open = () => {
      const { url, token } = bridge
      const redis = { url, token, timeoutMs: TIMEOUT_MS }
      return { clock, limits: upstashRequestLimits({ redis, now: () => clock.now }) }
    }
    const requestsOf = async (work: () => Promise<unknown>): Promise<number> => {
      const before = bridge.stats().http_requests
      await work()
      return bridge.stats().http_requests - before
    }
    beforeAll(async () => {
      bridge = await start()
    })
    afterAll(() => bridge.close())

    describeRequestLimits('Upstash', open)

    describeAroundLimits('Upstash', async (around) => {
      const { url, token } = bridge
      const redis = { url, token, timeoutMs: TIMEOUT_MS }
      // The whole store is one deployment.
      const client = openRedis({ ...redis, readYourWrites: false })
      await client.del('sluice:deployment')
      return { clock, limits: upstashRequestLimits({ redis, around, now: () => clock.now }) }
    })

    test('limits around all tenants cost no round trip more', async () => {
      const { url, token } = bridge
      const redis = { url, token, timeoutMs: TIMEOUT_MS }
      const around = { addressPerMinute: 1_000, deploymentPerMinute: 1_000 }
      const limits = upstashRequestLimits({ redis, around, now: () => clock.now })
      const caller = newCaller(TEN, { address: '198.51.100.7' })
      await limits.take(caller)
      expect(await requestsOf(() => limits.take(caller))).toBe(1)
      expect(await requestsOf(async () => limits.recall('198.51.100.7'))).toBe(0)
    })

    test('a request costs one round trip, also where Redis has forgotten the script, then two', async () => {
      const { limits } = open()
      const caller = newCaller(TEN)
      await limits.take(caller)
      expect(await requestsOf(() => limits.take(caller))).toBe(1)
      const { url, token } = bridge
      const redis = openRedis({ url, token, timeoutMs: TIMEOUT_MS, readYourWrites: false })
      await redis.scriptFlush()
      expect(await requestsOf(() => limits.take(caller))).toBe(2)
      expect(await requestsOf(() => limits.take(caller))).toBe(1)
      expect(await limits.take(caller)).toMatchObject({ windows: [{ remaining: 5 }, {}] })
    })

    test('a refusal is repeated without asking, for a second at most, and a refund ends it', async () => {
      const { limits } = open()
      const caller = newCaller(TEN)
      await takeMany(limits, caller, 11)
      clock.now += 999
      const repeated = () =>
        expect(limits.take(caller)).resolves.toMatchObject({
          kind: 'refused',
          retryAfterMs: 59_001,
        })
      expect(await requestsOf(repeated)).toBe(0)
      clock.now += 1
      expect(await requestsOf(() => limits.take(caller))).toBe(1)
      await limits.refund(caller)
      expect(await limits.take(caller)).toMatchObject({ kind: 'allowed' })
    })

    test('what is stored goes when the longest window has passed', async () => {
      const { limits } = open()
      const caller = newCaller(TEN)
      await limits.take(caller)
      const { url, token } = bridge
      const redis = openRedis({ url, token, timeoutMs: TIMEOUT_MS, readYourWrites: false })
      const leftMs = await redis.pttl(`sluice:requests:${caller.tenant}`)
      expect(leftMs).toBeGreaterThan(3_590_000)
      expect(leftMs).toBeLessThanOrEqual(3_600_000)
    })

    test('of 300 callers on 50 in 10 seconds no window gets more, and who waits as told is let in', async () => {
      const { url, token } = bridge
      const redis = openRedis({ url, token, timeoutMs: TIMEOUT_MS, readYourWrites: false })
      const send = openCommands({ url, token, timeoutMs: TIMEOUT_MS })
      const run = (command: Command) => send(command, separateWaits)
      const rules: WindowRule[] = [{ name: 'minute', limit: 50, windowMs: 10_000 }]
      const { tenant } = newCaller(TEN)
      const log = () => redis.get(`sluice:requests:${tenant}`)
      const beganAt = clock.now
      const due = new Map(Array.from({ length: 300 }, (_, index) => [index, beganAt + (index % 7)]))
      const admittedAt: number[] = []
      for (let now = beganAt; now < beganAt + 50_000; now = Math.min(...due.values())) {
        const callers = [...due.keys()].filter((index) => due.get(index) === now)
        const outcomes = await Promise.all(
          callers.map(() => countInRedis(run, { tenant, rules, now, amount: 1 })),
        )
        // All were told to come now, but for the first moments: at least one gets in.
        if (now > beganAt + 6) expect(outcomes.some(({ admitted }) => admitted)).toBe(true)
        for (const [at, { admitted, retryAfterMs }] of outcomes.entries()) {
          const index = callers[at] ?? -1
          if (admitted) admittedAt.push(now)
          expect(retryAfterMs > 0).toBe(!admitted)
          due.set(index, admitted ? Infinity : now + retryAfterMs)
        }
        const before = await log()
        const refused = await countInRedis(run, { tenant, rules, now, amount: 1 })
        if (refused.admitted) admittedAt.push(now)
        else expect(await log()).toBe(before)
      }
      const within = (from: number) =>
        admittedAt.filter((at) => at >= from && at < from + 10_000).length
      for (let window = 0; window < 5; window += 1) {
        expect(within(beganAt + window * 10_000)).toBeLessThanOrEqual(50)
      }
      expect(Math.max(...admittedAt.map(within))).toBeLessThanOrEqual(50)
      expect(admittedAt.length).toBeGreaterThan(240)
    })

    test('the script and the pure windows never differ', async () => {
      const { url, token } = bridge
      const send = openCommands({ url, token, timeoutMs: TIMEOUT_MS })
      const run = (command: Command) => send(command, separateWaits)
      const gap = fc.oneof(fc.constant(0), fc.nat({ max: 3_000 }), fc.nat({ max: 70_000 }))
      const amounts = fc.constantFrom<(1 | 0 | -1)[]>(1, 1, 1, 1, 0, -1)
      const backwards = fc.integer({ min: -5_000, max: -1 })
      const step = fc.tuple(fc.oneof({ weight: 9, arbitrary: gap }, backwards), amounts)
      const limit = fc.option(fc.nat({ max: 40 }))
      await fc.assert(
        fc.asyncProperty(
          fc.tuple(limit, limit, limit),
          fc.array(step, { maxLength: 60 }),
          async ([minute, hour, addressPerMinute], steps) => {
            const caller = newCaller({ requestsPerMinute: minute, requestsPerHour: hour })
            // The tenant's name is new for each run, and so is its address.
            const address = caller.tenant
            const around = aroundRulesOf({ addressPerMinute, deploymentPerMinute: null }, address)
            const rules = [...windowRulesOf(caller.tier), ...around]
            fc.pre(rules.length > 0)
            let now = clock.now
            let logs: readonly WindowLog[] = []
            for (const [gapMs, amount] of steps) {
              now += gapMs
              const pure = countPurely(logs, rules, { now, amount })
              logs = pure.logs
              const call = { tenant: caller.tenant, address, rules, now, amount }
              expect(await countInRedis(run, call)).toEqual(pure.outcome)
            }
          },
        ),
        { numRuns: 60 },
      )
    })
  })
}

function countPurely(
  logs: readonly WindowLog[],
  rules: readonly WindowRule[],
  { now, amount }: { now: number; amount: 1 | 0 | -1 },
): WindowsStep {
  if (amount > 0) return takeFromWindows(logs, rules, now)
  // A look writes nothing, and neither side needs it to: what is too old is dropped whenever it is read.
  const after = amount < 0 ? refundToWindows(logs, rules, now) : logs
  return { logs: after, outcome: peekWindows(after, rules, now) }
}

describeUpstash('the embedded Redis', () => startRedisBridge())
describe.skipIf(!hasRealRedis)('on a machine with redis-server', () => {
  describeUpstash('redis-server behind the bridge', async () => {
    const server = await startRealRedis()
    const bridge = await startRedisBridge({ redisUrl: server.url })
    return { ...bridge, close: () => bridge.close().then(() => server.stop()) }
  })
})

test('the script is known by its own hash', () => {
  expect(WINDOWS_SCRIPT_HASH).toBe(createHash('sha1').update(WINDOWS_SCRIPT).digest('hex'))
})
