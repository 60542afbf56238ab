// Redis slow, wrong, refusing or down: a request waits no longer than the timeout, and is counted by the isolate.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { upstashRequestLimits } from '../../src/adapters/upstash/request-limits.ts'
import type { LogLine } from '../../src/ports.ts'
import type { FaultMode } from '../../tools/redis/http/faults.ts'
import { type RedisBridge, startRedisBridge } from '../../tools/redis/server.ts'
import { countAllowed, newCaller, takeMany } from './request-limits-suite.ts'

const TIMEOUT_MS = 100
/** What the machine may take on top, busy as it may be. */
const SLACK_MS = 400
const TEN = { requestsPerMinute: 10, requestsPerHour: 1_000 }

let bridge: RedisBridge
beforeAll(async () => {
  bridge = await startRedisBridge()
})
afterEach(() => bridge.setFault({ mode: 'ok' }))
afterAll(() => bridge.close())

function open({ url = bridge.url, token = bridge.token } = {}) {
  const clock = { now: 1_780_000_000_000 }
  const lines: LogLine[] = []
  const limits = upstashRequestLimits({
    redis: { url, token, timeoutMs: TIMEOUT_MS },
    now: () => clock.now,
    log: (line) => lines.push(line),
  })
  return { clock, limits, events: () => lines.map((line) => line.event) }
}

const timeOf = async (work: () => Promise<unknown>): Promise<number> => {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

const failures: readonly [string, () => Promise<ReturnType<typeof open>>][] = [
  ...(['hang', 'refuse', 'error500', 'garbage'] as const).map((mode: FaultMode) => {
    const start = async () => {
      bridge.setFault({ mode })
      return open()
    }
    return [`Redis that answers with ${mode}`, start] as const satisfies [string, unknown]
  }),
  [
    'Redis that is slower than the timeout',
    async () => {
      bridge.setFault({ mode: 'delay', delayMs: TIMEOUT_MS * 3 })
      return open()
    },
  ],
  ['Redis that does not know the token', async () => open({ token: 'wrong' })],
  ['nothing at the address', async () => open({ url: `http://127.0.0.1:${await closedPort()}` })],
]

describe.each(failures)('with %s', (_, start) => {
  test('a tenant is counted by the isolate, within the timeout, and says so', async () => {
    const { limits } = await start()
    const caller = newCaller(TEN)
    expect(await timeOf(() => limits.take(caller))).toBeLessThan(TIMEOUT_MS + SLACK_MS)
    const decisions = await takeMany(limits, caller, 14)
    expect(countAllowed(decisions)).toBe(9)
    expect(decisions.every((decision) => decision.degraded)).toBe(true)
    expect(decisions.at(-1)).toMatchObject({ refusedBy: ['minute'], retryAfterMs: 60_000 })
  })

  test('a tenant that chose `open` is let in, and one that chose `closed` is not', async () => {
    const { limits } = await start()
    const isOpen = newCaller(TEN, { limitsFail: 'open' })
    expect(countAllowed(await takeMany(limits, isOpen, 12))).toBe(12)
    const isClosed = newCaller(TEN, { limitsFail: 'closed' })
    expect(await limits.take(isClosed)).toEqual({
      kind: 'refused',
      windows: [],
      refusedBy: ['minute', 'hour'],
      retryAfterMs: 1_000,
      degraded: true,
    })
  })

  test('a refund and a look do not throw, and a ping does', async () => {
    const { limits } = await start()
    const caller = newCaller({ requestsPerMinute: 1, requestsPerHour: null })
    await limits.take(caller)
    await limits.refund(caller)
    expect(await limits.peek(caller)).toEqual([])
    await expect(limits.ping()).rejects.toThrow()
  })

  test('most requests do not ask it, and do not wait', async () => {
    const { limits, clock, events } = await start()
    const caller = newCaller({ requestsPerMinute: null, requestsPerHour: 100_000 })
    await takeMany(limits, caller, 3)
    const before = bridge.stats().http_requests
    const spentMs = await timeOf(async () => {
      for (let second = 0; second < 3; second += 1) {
        clock.now += 300
        await Promise.all(Array.from({ length: 100 }, () => limits.take(caller)))
      }
    })
    expect(bridge.stats().http_requests).toBe(before)
    expect(spentMs).toBeLessThan(SLACK_MS)
    expect(events()).toEqual(['request_limits_degraded'])
  })
})

test('a Redis that hangs for a while is in use again within 5 s, though nothing else asks', async () => {
  const { limits, clock, events } = open()
  bridge.setFault({ mode: 'hang' })
  const caller = newCaller({ requestsPerMinute: null, requestsPerHour: 100_000 })
  for (let second = 0; second < 30; second += 1) {
    clock.now += 1_000
    await limits.take(caller)
  }
  bridge.setFault({ mode: 'ok' })
  let waitedMs = 0
  while ((await limits.take(caller)).degraded && waitedMs < 10_000) {
    clock.now += 100
    waitedMs += 100
  }
  expect(waitedMs).toBeLessThan(5_000)
  expect(events()).toEqual(['request_limits_degraded', 'request_limits_recovered'])
})

test('one slow answer among good ones changes nothing but its own', async () => {
  const { limits } = open()
  const caller = newCaller(TEN)
  bridge.setFault({ mode: 'hang', remaining: 1 })
  const decisions = await takeMany(limits, caller, 11)
  expect(decisions.map((decision) => decision.degraded)).toEqual([
    true,
    ...Array.from({ length: 10 }, () => false),
  ])
})

describe('an answer that is valid JSON but no outcome', () => {
  let server: Server
  let body = ''
  beforeAll(async () => {
    server = createServer((_, response) => response.end(body))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))

  test.each(['{}', 'null', '{"result":null}', '{"result":[1,0]}', '{"result":[1,0,"x",1,1,1]}'])(
    'is no answer: %s',
    async (text) => {
      body = text
      const { limits } = open({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
      expect(await limits.take(newCaller(TEN))).toMatchObject({ kind: 'allowed', degraded: true })
    },
  )
})

test('an answer that stops after its headers is given up like one that never came', async () => {
  const server = createServer((_, response) => response.writeHead(200).write('{"resu'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { limits } = open({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  const spentMs = await timeOf(async () => {
    expect(await limits.take(newCaller(TEN))).toMatchObject({ degraded: true })
  })
  expect(spentMs).toBeLessThan(TIMEOUT_MS + SLACK_MS)
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

test('Redis that becomes too slow within a burst: what it has let in counts with what the isolate lets in', async () => {
  const { limits } = open()
  const caller = newCaller(TEN)
  const early = await takeMany(limits, caller, 6)
  bridge.setFault({ mode: 'delay', delayMs: TIMEOUT_MS * 3 })
  const late = await takeMany(limits, caller, 24)
  expect(countAllowed([...early, ...late])).toBe(10)
  expect(countAllowed(early)).toBe(6)
})

test('what Redis refuses or is given back uses nothing up in the isolate', async () => {
  const { limits } = open()
  const caller = newCaller({ requestsPerMinute: 2, requestsPerHour: null })
  await takeMany(limits, caller, 5)
  await limits.refund(caller)
  bridge.setFault({ mode: 'hang' })
  expect(countAllowed(await takeMany(limits, caller, 5))).toBe(1)
})
