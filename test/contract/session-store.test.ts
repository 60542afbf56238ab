// Sessions as Redis keeps them, by the embedded engine and by redis-server: each step atomic, nothing left behind.
import { createHash, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRedis } from '../support/redis-client.ts'
import { SESSION_SCRIPTS } from '../../src/adapters/upstash/session-scripts.ts'
import { upstashSessionStore } from '../../src/adapters/upstash/session-store.ts'
import type { KeptTurn, SessionKey, SessionStore } from '../../src/ports/sessions.ts'
import { type RedisBridge, startRedisBridge } from '../../tools/redis/server.ts'
import { hasRealRedis, startRealRedis } from './redis/real-redis.ts'

const LIFE_MS = 60_000
const HOLD_MS = 5_000

const turn = (token: string, version: number, more: Partial<KeptTurn> = {}): KeptTurn => ({
  token,
  version,
  user: '',
  text: `text ${version + 1}`,
  model: 'm',
  replay: null,
  ...more,
})

function describeStore(name: string, start: () => Promise<RedisBridge>): void {
  describe(`sessions in ${name}`, () => {
    let bridge: RedisBridge
    const clock = { now: Date.now() }
    const redisOf = () => openRedis({ ...bridge, timeoutMs: 5_000, readYourWrites: false })
    const open = (): SessionStore =>
      upstashSessionStore({
        redis: redisOf(),
        now: () => clock.now,
        lifeMs: LIFE_MS,
        holdMs: HOLD_MS,
      })
    const newKey = (): SessionKey => ({ tenant: randomUUID(), id: randomUUID(), user: null })
    const claim = (token: string, create = false, idempotencyKey: string | null = null) => ({
      token,
      idempotencyKey,
      create: create ? { user: '' } : null,
    })
    const leftOf = async ({ tenant }: SessionKey): Promise<string[]> =>
      redisOf().keys(`sluice:session*:${tenant}*`)

    beforeAll(async () => {
      bridge = await start()
    })
    afterAll(() => bridge.close())

    test('a turn is kept whole and read by the next', async () => {
      const store = open()
      const key = newKey()
      expect(await store.claim(key, claim('a', true))).toEqual({
        kind: 'begun',
        version: 0,
        text: null,
      })
      expect(await store.keep(key, turn('a', 0))).toBe(true)
      expect(await store.claim(key, claim('b'))).toEqual({
        kind: 'begun',
        version: 1,
        text: 'text 1',
      })
      expect(await store.read(key)).toEqual({
        text: 'text 1',
        version: 1,
        user: '',
        createdAt: clock.now,
        expiresAt: clock.now + LIFE_MS,
      })
    })

    test('of a hundred turns at once one begins, and the rest are told at once', async () => {
      const store = open()
      const key = newKey()
      await store.claim(key, claim('a', true))
      await store.keep(key, turn('a', 0))
      const claims = await Promise.all(
        Array.from({ length: 100 }, (_, at) => store.claim(key, claim(`t${at}`))),
      )
      expect(claims.filter(({ kind }) => kind === 'begun')).toHaveLength(1)
      expect(claims.filter(({ kind }) => kind === 'busy')).toHaveLength(99)
    })

    test('a first turn that fails leaves nothing, a later one leaves the session as it was', async () => {
      const store = open()
      const key = newKey()
      await store.claim(key, claim('a', true))
      expect(await store.read(key)).toBeNull()
      expect(await store.claim(key, claim('x'))).toEqual({ kind: 'busy' })
      await store.release(key, 'a')
      expect(await leftOf(key)).toEqual([])
      await store.claim(key, claim('b', true))
      await store.keep(key, turn('b', 0))
      await store.claim(key, claim('c'))
      await store.release(key, 'another')
      expect(await store.claim(key, claim('d'))).toEqual({ kind: 'busy' })
      await store.release(key, 'c')
      expect(await store.claim(key, claim('e'))).toMatchObject({ kind: 'begun', version: 1 })
    })

    test('a turn whose isolate died frees the session by itself, and keeps nothing late over another', async () => {
      const store = open()
      const key = newKey()
      await store.claim(key, claim('a', true))
      await store.keep(key, turn('a', 0))
      await store.claim(key, claim('dead'))
      clock.now += HOLD_MS - 1
      expect(await store.hold(key, 'dead')).toBe(true)
      clock.now += HOLD_MS - 1
      expect(await store.claim(key, claim('b'))).toEqual({ kind: 'busy' })
      clock.now += 1
      expect(await store.claim(key, claim('b'))).toMatchObject({ kind: 'begun' })
      expect(await store.hold(key, 'dead')).toBe(false)
      expect(await store.keep(key, turn('b', 1))).toBe(true)
      expect(await store.keep(key, turn('dead', 1))).toBe(false)
      expect((await store.read(key))?.text).toBe('text 2')
    })

    test('a session that was deleted while a turn ran stays deleted', async () => {
      const store = open()
      const key = newKey()
      await store.claim(key, claim('a', true))
      await store.keep(key, turn('a', 0))
      await store.claim(key, claim('b'))
      expect(await store.remove(key)).toBe(true)
      expect(await store.keep(key, turn('b', 1))).toBe(false)
      expect(await store.remove(key)).toBe(false)
      expect(await leftOf(key)).toEqual([])
    })

    test('a turn asked for again is answered from the first; while it runs it is in flight', async () => {
      const store = open()
      const key = newKey()
      const replay = { idempotencyKey: 'i', bodyHash: 'h', answer: '{"a":1}' }
      await store.claim(key, claim('a', true, 'i'))
      expect(await store.claim(key, claim('b', true, 'i'))).toEqual({ kind: 'in_flight' })
      expect(await store.claim(key, claim('b', true, 'j'))).toEqual({ kind: 'busy' })
      await store.keep(key, turn('a', 0, { replay }))
      expect(await store.claim(key, claim('c', true, 'i'))).toEqual({
        kind: 'replay',
        bodyHash: 'h',
        answer: '{"a":1}',
        turns: 1,
      })
      await store.claim(key, claim('d', false, 'k'))
      await store.keep(key, turn('d', 1))
      expect(await store.claim(key, claim('e', false, 'i'))).toMatchObject({ kind: 'begun' })
    })

    test('is seen by its own tenant and, where asked, by its own user only', async () => {
      const store = open()
      const key = newKey()
      await store.claim(key, { ...claim('a'), create: { user: 'ann' } })
      await store.keep(key, turn('a', 0, { user: 'ann' }))
      expect(await store.read({ ...key, user: 'ann' })).not.toBeNull()
      const bob = { ...key, user: 'bob' }
      expect(await store.read(bob)).toBeNull()
      expect(await store.claim(bob, claim('b'))).toEqual({ kind: 'missing' })
      expect(await store.remove(bob)).toBe(false)
      expect(await store.extend(bob, 1)).toBeNull()
      expect(await store.read({ ...key, tenant: randomUUID() })).toBeNull()
      const ids = async (user: string | null) =>
        (await store.list({ tenant: key.tenant, user }, { limit: 5, from: null })).sessions.length
      expect([await ids(null), await ids('ann'), await ids('bob')]).toEqual([1, 1, 0])
      expect(await store.remove({ ...key, user: 'ann' })).toBe(true)
      expect(await leftOf(key)).toEqual([])
    })

    test('lists its sessions in pages that skip none, ends that fall together included', async () => {
      const store = open()
      const { tenant } = newKey()
      const made = Array.from({ length: 23 }, (_, at) => `id${String(at).padStart(2, '0')}`)
      for (const [at, id] of made.entries()) {
        if (at % 5 === 0) clock.now += 1
        const session = { text: 't', version: 3, user: '', model: 'm' }
        await store.create({ tenant, id, user: null }, session)
      }
      const seen: string[] = []
      for (let from: string | null = null, page = 0; page < 10; page += 1) {
        const { sessions, next } = await store.list({ tenant, user: null }, { limit: 4, from })
        expect(sessions.length).toBeLessThanOrEqual(4)
        seen.push(...sessions.map(({ id }) => id))
        if (next === null) break
        from = next
      }
      expect(seen).toEqual(made)
      clock.now += LIFE_MS
      const { sessions } = await store.list({ tenant, user: null }, { limit: 4, from: null })
      expect(sessions).toEqual([])
    })

    test('lives on with use and as long as it is told', async () => {
      const store = open()
      const key = newKey()
      await store.create(key, { text: 't', version: 1, user: '', model: 'm' })
      clock.now += 10_000
      expect(await store.extend(key, 600_000)).toBe(clock.now + 600_000)
      const [name = ''] = await leftOf({ ...key, id: '' })
      expect(await redisOf().pttl(name)).toBeGreaterThan(590_000)
      expect(await store.extend(newKey(), 1)).toBeNull()
    })

    test('a long text comes back as it was and takes less room', async () => {
      const store = open()
      const key = newKey()
      const text = `"${'Grüße, 世界 '.repeat(40_000)}"`
      await store.create(key, { text, version: 1, user: '', model: 'm' })
      expect((await store.read(key))?.text).toBe(text)
      const stored = await redisOf().hget<string>(`sluice:session:${key.tenant}:${key.id}`, 'd')
      expect(stored?.length).toBeLessThan(text.length / 10)
    })
  })
}

describeStore('the embedded Redis', () => startRedisBridge())
describe.skipIf(!hasRealRedis)('on a machine with redis-server', () => {
  describeStore('redis-server behind the bridge', async () => {
    const server = await startRealRedis()
    const bridge = await startRedisBridge({ redisUrl: server.url })
    return { ...bridge, close: () => bridge.close().then(() => server.stop()) }
  })
})

test.each(Object.entries(SESSION_SCRIPTS))(
  'the script %s is known by its own hash',
  (_, script) => {
    expect(createHash('sha1').update(script.text).digest('hex')).toBe(script.hash)
  },
)
