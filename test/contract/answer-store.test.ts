// Kept answers in this process, in the embedded Redis and in redis-server.
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memoryAnswerStore } from '../../src/adapters/memory/answer-store.ts'
import { ANSWER_SCRIPTS } from '../../src/adapters/upstash/answer-scripts.ts'
import { upstashAnswerStore } from '../../src/adapters/upstash/answer-store.ts'
import { openRedis } from '../support/redis-client.ts'
import type { AnswerStore } from '../../src/ports/answers.ts'
import { type RedisBridge, startRedisBridge } from '../../tools/redis/server.ts'
import { describeAnswerStore } from './answer-store-suite.ts'
import { hasRealRedis, startRealRedis } from './redis/real-redis.ts'

const clock = { now: Date.now() }

const inProcess = memoryAnswerStore({ now: () => clock.now })
describeAnswerStore('memory', () => ({ open: () => inProcess, clock }))

function openAnswers(bridge: RedisBridge): AnswerStore {
  const redis = openRedis({ ...bridge, timeoutMs: 5_000, readYourWrites: false })
  return upstashAnswerStore({
    now: () => clock.now,
    run: ({ text }, keys, args) =>
      redis.eval<(string | number)[], unknown>(text, [...keys], [...args]),
  })
}

function describeRedis(name: string, start: () => Promise<RedisBridge>): void {
  describe(name, () => {
    let bridge: RedisBridge
    beforeAll(async () => {
      bridge = await start()
    })
    afterAll(() => bridge.close())
    describeAnswerStore(name, () => ({ open: () => openAnswers(bridge), clock }))

    test('a maker that says nothing any more is followed by nobody', async () => {
      const store = openAnswers(bridge)
      const hash = 'e'.repeat(64)
      const look = { hash, marks: ['*'], near: null, accepts: null, now: clock.now }
      expect((await store.look({ ...look, token: 'dead' })).kind).toBe('lead')
      const redis = openRedis({ ...bridge, timeoutMs: 5_000, readYourWrites: false })
      expect(await redis.pttl(`sluice:answer:${hash}:claim`)).toBeLessThanOrEqual(5_000)
      await redis.pexpire(`sluice:answer:${hash}:claim`, 1)
      await new Promise((resolve) => setTimeout(resolve, 5))
      expect((await store.look({ ...look, token: 'next' })).kind).toBe('lead')
    })

    test('nothing is kept for longer than somebody may want it', async () => {
      const redis = openRedis({ ...bridge, timeoutMs: 5_000, readYourWrites: false })
      for (const name of await redis.keys('sluice:answer:*')) {
        const left = await redis.pttl(name)
        expect(left).toBeGreaterThan(-1)
        expect(left).toBeLessThanOrEqual(20_000)
      }
    })
  })
}

describeRedis('the embedded Redis', () => startRedisBridge())
describe.skipIf(!hasRealRedis)('on a machine with redis-server', () => {
  describeRedis('redis-server behind the bridge', async () => {
    const server = await startRealRedis()
    const bridge = await startRedisBridge({ redisUrl: server.url })
    return { ...bridge, close: () => bridge.close().then(() => server.stop()) }
  })
})

test.each(Object.entries(ANSWER_SCRIPTS))('the script %s is known by its own hash', (_, script) => {
  expect(createHash('sha1').update(script.text).digest('hex')).toBe(script.hash)
})
