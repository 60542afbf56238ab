// What every store of answers does: what is kept comes back as it was, invalidations hold at the next look, and of all who
// ask at once one makes the call.
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type Invalidation, markOf, marksOf } from '../../src/core/caching/generations.ts'
import { type KeptAnswer, lifeOf } from '../../src/core/caching/kept-answer.ts'
import type { AnswerLook, AnswerStore } from '../../src/ports/answers.ts'

export interface AnswerStoreWorld {
  /** Of one isolate; all see the same. */
  open(): AnswerStore
  readonly clock: { now: number }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function describeAnswerStore(name: string, world: () => AnswerStoreWorld): void {
  describe(`answers in ${name}`, () => {
    const newHash = (): string => randomBytes(32).toString('hex')
    const of = (hash: string, change: object = {}) => ({
      tenant: 'acme',
      user: 'ann',
      model: 'm',
      keyId: 'k',
      hash,
      tags: ['news'],
      ...change,
    })
    const lookAt = (hash: string, change: Partial<AnswerLook> = {}): AnswerLook => ({
      hash,
      now: world().clock.now,
      marks: marksOf(of(hash)),
      accepts: { maxAgeMs: Infinity, minFreshMs: 0, staleMs: 0 },
      near: null,
      token: null,
      ...change,
    })
    const answerOf = (hash: string, change: Partial<KeptAnswer> = {}): KeptAnswer => {
      const { now } = world().clock
      return {
        body: encoder.encode(`{"text":"Grüße, 世界 ${hash}"}`),
        storedAt: now,
        ...lifeOf({ ttlSeconds: 10 }, now),
        tookMs: 1234,
        costNanoUsd: 5678,
        generation: 0,
        marks: marksOf(of(hash)),
        ...change,
      }
    }
    const begin = async (store: AnswerStore, hash: string, token: string) => {
      const found = await store.look(lookAt(hash, { token, accepts: null }))
      if (found.kind !== 'lead') throw new Error(`It was told to ${found.kind}`)
      return found
    }
    /** As a request keeps it: made after the look that told it to. */
    const keep = async (store: AnswerStore, hash: string, change: Partial<KeptAnswer> = {}) => {
      const { generation } = await begin(store, hash, 'maker')
      const answer = answerOf(hash, { generation, ...change })
      const isKept = await store.land({ hash, token: 'maker' }, answer, null)
      return { answer, isKept }
    }

    test('an answer comes back as it was, to every isolate', async () => {
      const hash = newHash()
      const { answer, isKept } = await keep(world().open(), hash)
      expect(isKept).toBe(true)
      const found = await world().open().look(lookAt(hash))
      expect(found).toEqual({ kind: 'kept', answer })
      expect(found.kind === 'kept' && decoder.decode(found.answer.body)).toBe(
        decoder.decode(answer.body),
      )
    })

    test('a large answer does, too', async () => {
      const hash = newHash()
      const body = encoder.encode(JSON.stringify({ text: `${'世界 "\\" '.repeat(40_000)}` }))
      await keep(world().open(), hash, { body })
      const found = await world().open().look(lookAt(hash))
      expect(found.kind === 'kept' && Buffer.from(found.answer.body).equals(body)).toBe(true)
    })

    test('is fresh for as long as it was told, then late by what the caller takes, then gone', async () => {
      const { clock } = world()
      const store = world().open()
      const hash = newHash()
      await keep(store, hash)
      const startedAt = clock.now
      const kindAt = async (ms: number, accepts: object = {}) => {
        clock.now = startedAt + ms
        const asked = { maxAgeMs: Infinity, minFreshMs: 0, staleMs: 0, ...accepts }
        const found = await store.look(lookAt(hash, { accepts: asked }))
        return found.kind === 'lead' ? (found.stale === null ? 'none' : 'stale') : found.kind
      }
      expect(await kindAt(9_999)).toBe('kept')
      expect(await kindAt(5_000, { maxAgeMs: 4_999 })).toBe('none')
      expect(await kindAt(5_000, { minFreshMs: 5_000 })).toBe('none')
      expect(await kindAt(10_000)).toBe('none')
      expect(await kindAt(10_500, { staleMs: 1_000 })).toBe('stale')
      expect(await kindAt(11_500, { staleMs: 1_000 })).toBe('none')
      expect(await kindAt(19_999, { staleMs: Infinity })).toBe('stale')
      expect(await kindAt(20_000, { staleMs: Infinity })).toBe('none')
    })

    test('what is at hand is good until it is invalidated', async () => {
      const store = world().open()
      const hash = newHash()
      const { answer } = await keep(store, hash)
      expect((await store.look(lookAt(hash, { near: answer }))).kind).toBe('near')
      await store.invalidate(markOf({ key: hash }), null)
      expect((await store.look(lookAt(hash, { near: answer }))).kind).toBe('lead')
    })

    test.each<[string, Invalidation, boolean]>([
      ['its key', { key: 'hash' }, true],
      ['its tenant', { tenant: 'acme' }, true],
      ['its user', { user: 'ann' }, true],
      ['its model', { model: 'm' }, true],
      ['its tag', { tag: 'news' }, true],
      ["its tenant's key", { key: 'k' }, true],
      ['its tenant and tag', { tenant: 'acme', tag: 'news' }, true],
      ['everything', {}, true],
      ['another tenant', { tenant: 'other' }, false],
      ["its tenant's other user", { tenant: 'acme', user: 'bob' }, false],
      ['another model', { model: 'n' }, false],
      ['another tag', { tag: 'olds' }, false],
    ])('an invalidation of %s', async (_, rule, isGone) => {
      const hash = newHash()
      await keep(world().open(), hash)
      const asked = rule.key === 'hash' ? { key: hash } : rule
      const before = await world().open().invalidate(markOf(asked), null)
      const found = await world().open().look(lookAt(hash))
      expect(found.kind).toBe(isGone ? 'lead' : 'kept')
      // What is made afterwards is good.
      await keep(world().open(), hash)
      expect((await world().open().look(lookAt(hash))).kind).toBe('kept')
      expect(await world().open().invalidate(markOf(asked), null)).toBeGreaterThan(before)
    })

    test('an invalidation by age spares what is newer', async () => {
      const { clock } = world()
      const store = world().open()
      const [old, young] = [newHash(), newHash()]
      await keep(store, old)
      clock.now += 5_000
      await keep(store, young)
      await store.invalidate(markOf({ tenant: 'acme' }), clock.now - 1_000)
      expect((await store.look(lookAt(old))).kind).toBe('lead')
      expect((await store.look(lookAt(young))).kind).toBe('kept')
    })

    test('what was being made when it was invalidated is not kept', async () => {
      const store = world().open()
      const hash = newHash()
      const { generation } = await begin(store, hash, 'maker')
      await store.invalidate(markOf({ tag: 'news' }), null)
      const answer = answerOf(hash, { generation })
      expect(await store.land({ hash, token: 'maker' }, answer, null)).toBe(false)
      expect((await store.look(lookAt(hash))).kind).toBe('lead')
    })

    test('of a hundred that ask at once one makes the call, and the others are told whom to follow', async () => {
      const hash = newHash()
      const found = await Promise.all(
        Array.from({ length: 100 }, (_, at) =>
          world()
            .open()
            .look(lookAt(hash, { token: `t${at}` })),
        ),
      )
      const leaders = found.flatMap(({ kind }, at) => (kind === 'lead' ? [`t${at}`] : []))
      expect(leaders).toHaveLength(1)
      const followed = found.flatMap((each) => (each.kind === 'follow' ? [each.token] : []))
      expect(new Set(followed)).toEqual(new Set(leaders))
      expect(followed).toHaveLength(99)
    })

    test('who asks after an invalidation does not follow a call from before it', async () => {
      const store = world().open()
      const hash = newHash()
      await begin(store, hash, 'old')
      await store.invalidate(markOf({ model: 'm' }), null)
      const { generation } = await begin(store, hash, 'new')
      expect(await store.tell({ hash, token: 'old' }, [])).toEqual({
        isHeld: false,
        isHeard: false,
      })
      // The old one ends in silence, and takes nothing from the new one.
      await store.land({ hash, token: 'old' }, answerOf(hash), null)
      expect(await store.look(lookAt(hash, { token: 'third' }))).toMatchObject({
        kind: 'follow',
        token: 'new',
      })
      expect(await store.land({ hash, token: 'new' }, answerOf(hash, { generation }), null)).toBe(
        true,
      )
    })

    test('a call is heard at another isolate piece by piece, to its end', async () => {
      const [here, there] = [world().open(), world().open()]
      const hash = newHash()
      const flight = { hash, token: 'maker' }
      await begin(here, hash, 'maker')
      expect(await here.tell(flight, [])).toEqual({ isHeld: true, isHeard: false })
      expect((await there.look(lookAt(hash, { token: 'other' }))).kind).toBe('follow')
      expect(await here.tell(flight, [])).toEqual({ isHeld: true, isHeard: false })
      expect(await there.listen(flight, 0)).toEqual({ pieces: [], isAlive: true })
      const bytes = new Uint8Array(randomBytes(20_000))
      expect(await here.tell(flight, [{ kind: 'bytes', bytes }])).toEqual({
        isHeld: true,
        isHeard: true,
      })
      const first = await there.listen(flight, 0)
      expect(first.isAlive).toBe(true)
      expect(first.pieces).toHaveLength(1)
      const [piece] = first.pieces
      expect(piece?.kind === 'bytes' && Buffer.from(piece.bytes).equals(bytes)).toBe(true)
      await here.land(flight, answerOf(hash), { kind: 'end' })
      expect(await there.listen(flight, 1)).toEqual({ pieces: [{ kind: 'end' }], isAlive: false })
    })

    test.each([
      [{ kind: 'failed', failure: '{"kind":"refused"}' }, null, 'failed'],
      [{ kind: 'whole', bytes: encoder.encode('{}') }, null, 'whole'],
      [{ kind: 'whole', bytes: encoder.encode('{}') }, 'kept', 'kept'],
      [null, 'kept', 'kept'],
    ] as const)(
      'the last word of a call that ends with %j and keeps %s',
      async (word, kept, heard) => {
        const store = world().open()
        const hash = newHash()
        const { generation } = await begin(store, hash, 'maker')
        const answer = kept === null ? null : answerOf(hash, { generation })
        await store.land({ hash, token: 'maker' }, answer, word)
        const { pieces } = await store.listen({ hash, token: 'maker' }, 0)
        expect(pieces.map(({ kind }) => kind)).toEqual([heard])
      },
    )

    test('a call that was let go is begun by the next who asks', async () => {
      const store = world().open()
      const hash = newHash()
      await begin(store, hash, 'one')
      await store.land({ hash, token: 'one' }, null, null)
      await begin(store, hash, 'two')
      expect(await store.listen({ hash, token: 'one' }, 0)).toEqual({ pieces: [], isAlive: false })
    })

    test('counts add up', async () => {
      const name = `count ${newHash()}`
      await Promise.all(
        [1, 2, 3].map((count) =>
          world()
            .open()
            .addCounts({ [name]: count, x: 1 }),
        ),
      )
      expect((await world().open().readCounts())[name]).toBe(6)
    })
  })
}
