// What a request gets that asks the response cache: what is kept, in the form and of the age that it wants.
import { afterEach, describe, expect, it, test, vi } from 'vitest'
import { markOf } from '../../../src/core/caching/generations.ts'
import type { HouseOptions } from '../../support/house.ts'
import { claudeError, overloaded } from '../../support/house.ts'
import {
  answered,
  answerText,
  CACHED,
  type CacheWorld,
  openCacheWorld,
  streamedAnswer,
  textsOf,
} from '../../support/cache-house.ts'

let world: CacheWorld
afterEach(() => {
  vi.useRealTimers()
  world.stop()
})

const open = async (options: Partial<HouseOptions> & Parameters<typeof openCacheWorld>[1]) => {
  world = await openCacheWorld(1, options)
  const [house] = world.houses
  if (house === undefined) throw new Error('There is no house')
  return house
}
/** Every call has ended, and the store knows. */
const ended = (): Promise<void> =>
  vi.waitFor(() => expect(world.landed()).toBe(world.sent()), { interval: 2 })

const statusOf = (answer: Response): string | null => answer.headers.get('cache-status')
const isStreamed = (body: string): boolean =>
  (JSON.parse(body) as { stream?: boolean }).stream === true

/** Claude as it is: streamed where it is asked to. */
const claude = ({ body }: { readonly body: string }): Response =>
  isStreamed(body) ? streamedAnswer() : answered()

describe('an answer is kept', () => {
  test('and given again with the very bytes, its age and no call', async () => {
    const house = await open({ answer: claude })
    const first = await house.ask({}, { headers: CACHED })
    expect(statusOf(first)).toBe('sluice; fwd=miss')
    expect(first.headers.get('age')).toBeNull()
    expect(await first.text()).toBe(answerText())
    const second = await house.ask({}, { headers: CACHED })
    expect(statusOf(second)).toBe('sluice; hit')
    expect(second.headers.get('age')).toBe('0')
    expect(second.headers.get('content-type')).toBe('application/json')
    expect(await second.text()).toBe(answerText())
    expect(world.sent()).toBe(1)
  })

  test.each([
    [false, true],
    [true, false],
    [true, true],
  ])('from stream %s to stream %s', async (from, to) => {
    const house = await open({ answer: claude })
    const first = await house.ask({ stream: from }, { headers: CACHED })
    await first.text()
    const second = await house.ask({ stream: to }, { headers: CACHED })
    expect(statusOf(second)).toBe('sluice; hit')
    const text = await second.text()
    expect(to ? textsOf(text) : (JSON.parse(text) as { content: unknown }).content).toEqual(
      to ? 'Hello' : [{ type: 'text', text: 'Hello' }],
    )
    expect(world.sent()).toBe(1)
  })

  test('for the tenant that asked, and no other', async () => {
    const house = await open({ answer: claude })
    await (await house.ask({}, { headers: CACHED })).text()
    const other = await openCacheWorld(1, {
      answer: claude,
      caller: { tenant: 'other' },
      around: () => world.store,
    })
    const answer = await other.houses[0]!.ask({}, { headers: CACHED })
    expect(statusOf(answer)).toBe('sluice; fwd=miss')
    other.stop()
  })

  test('for each of its users where they are told apart', async () => {
    const house = await open({ answer: claude })
    const as = async (user: string) =>
      statusOf(
        await house.ask(
          {},
          { headers: { ...CACHED, 'sluice-cache-scope': 'user', 'sluice-user': user } },
        ),
      )
    expect([await as('ann'), await as('bob'), await as('ann')]).toEqual([
      'sluice; fwd=miss',
      'sluice; fwd=miss',
      'sluice; hit',
    ])
  })

  test.each<[string, () => Response, object]>([
    ['cut by its length', () => answered({ stop_reason: 'max_tokens' }), {}],
    [
      'a tool use',
      () => answered({ content: [{ type: 'tool_use' }], stop_reason: 'tool_use' }),
      {},
    ],
    ['a refusal', () => answered({ stop_reason: 'refusal' }), {}],
    ['too large', () => answered({ content: [{ type: 'text', text: 'x'.repeat(3_000) }] }), {}],
    ['a 400', () => claudeError(400, 'invalid_request_error'), {}],
    ['a 529', overloaded, {}],
    ['no JSON', () => new Response('<html>', { headers: { 'content-type': 'text/html' } }), {}],
    [
      'a cut stream',
      () =>
        new Response('event: message_start\ndata: {}\n\n', {
          headers: { 'content-type': 'text/event-stream' },
        }),
      { stream: true },
    ],
  ])('not where it is %s', async (_, answer, fields) => {
    const house = await open({
      answer,
      settings: { SLUICE_CACHE_MAX_BYTES: 2_000, SLUICE_RETRY_ATTEMPTS: 1 },
    })
    for (let calls = 1; calls <= 2; calls += 1) {
      const asked = await house.ask(fields, { headers: CACHED })
      expect(statusOf(asked)).toBe('sluice; fwd=miss')
      await asked.text()
      await ended()
      expect(world.sent()).toBe(calls)
    }
  })
})

describe('the caller decides', () => {
  test('a request that does not ask goes by', async () => {
    const house = await open({ answer: claude })
    for (const headers of [{}, { ...CACHED, 'cache-control': 'no-store' }]) {
      const answer = await house.ask({}, { headers })
      expect(statusOf(answer)).toBe('sluice; fwd=bypass')
    }
    const answer = await house.ask({}, { headers: CACHED })
    expect(statusOf(answer)).toBe('sluice; fwd=miss')
  })

  test("its tenant's setting asks for it", async () => {
    const house = await open({ answer: claude, caller: { cacheTtlSeconds: 60 } })
    await (await house.ask()).text()
    expect(statusOf(await house.ask())).toBe('sluice; hit')
    expect(statusOf(await house.ask({}, { headers: { 'cache-control': 'no-store' } }))).toBe(
      'sluice; fwd=bypass',
    )
  })

  test('no-cache has it made anew, and what was made is kept', async () => {
    let made = 0
    const house = await open({ answer: () => answered({ id: `msg_${(made += 1)}` }) })
    const ask = async (cacheControl?: string) => {
      const headers = cacheControl === undefined ? {} : { 'cache-control': cacheControl }
      const answer = await house.ask({}, { headers: { ...CACHED, ...headers } })
      const { id } = (await answer.json()) as { id: string }
      await ended()
      return [statusOf(answer), id]
    }
    expect(await ask()).toEqual(['sluice; fwd=miss', 'msg_1'])
    expect(await ask('no-cache')).toEqual(['sluice; fwd=request', 'msg_2'])
    expect(await ask()).toEqual(['sluice; hit', 'msg_2'])
  })

  test('only-if-cached is answered from the cache or not at all', async () => {
    const house = await open({ answer: claude })
    const headers = { 'cache-control': 'only-if-cached' }
    const refused = await house.ask({}, { headers })
    expect(refused.status).toBe(504)
    expect(refused.headers.get('sluice-reason')).toBe('not_cached')
    expect(statusOf(refused)).toBe('sluice; detail=only-if-cached')
    expect(await refused.json()).toMatchObject({ type: 'error', error: { type: 'timeout_error' } })
    expect(world.sent()).toBe(0)
    await (await house.ask({}, { headers: CACHED })).text()
    expect(statusOf(await house.ask({}, { headers }))).toBe('sluice; hit')
  })

  test('max-age is the oldest that will do', async () => {
    const house = await open({ answer: claude })
    await (await house.ask({}, { headers: CACHED })).text()
    await ended()
    const now = Date.now()
    vi.spyOn(Date, 'now').mockImplementation(() => now + 5_000)
    const at = async (age: number) =>
      statusOf(await house.ask({}, { headers: { 'cache-control': `max-age=${age}` } }))
    expect(await at(10)).toBe('sluice; hit')
    expect(await at(2)).toBe('sluice; fwd=miss')
    vi.restoreAllMocks()
  })

  test.each([
    ['sluice-cache-ttl', 'soon'],
    ['sluice-cache-tags', 'a b'],
    ['cache-control', 'max-age=x'],
  ])('a wrong %s is refused by name', async (name, value) => {
    const house = await open({ answer: claude })
    const answer = await house.ask({}, { headers: { ...CACHED, [name]: value } })
    expect(answer.status).toBe(400)
    expect(await answer.text()).toContain(`${name}: `)
  })
})

describe('past its time', () => {
  const later = (ms: number): void => {
    const now = Date.now()
    vi.spyOn(Date, 'now').mockImplementation(() => now + ms)
  }
  afterEach(() => vi.restoreAllMocks())

  test('an answer is given where the caller takes it so, and made anew behind it', async () => {
    let made = 0
    const house = await open({ answer: () => answered({ id: `msg_${(made += 1)}` }) })
    const headers = { 'sluice-cache-ttl': '10', 'cache-control': 'max-stale=5' }
    await (await house.ask({}, { headers })).text()
    await ended()
    later(12_000)
    const stale = await house.ask({}, { headers })
    expect(statusOf(stale)).toBe('sluice; hit; detail=stale')
    expect(stale.headers.get('age')).toBe('12')
    expect(await stale.json()).toMatchObject({ id: 'msg_1' })
    await vi.waitFor(() => expect(made).toBe(2))
    await ended()
    const fresh = await house.ask({}, { headers })
    expect(statusOf(fresh)).toBe('sluice; hit')
    expect(await fresh.json()).toMatchObject({ id: 'msg_2' })
  })

  test('it is given where Claude cannot answer and the caller allows that', async () => {
    let isDown = false
    const house = await open({
      answer: () => (isDown ? overloaded() : answered()),
      settings: { SLUICE_RETRY_ATTEMPTS: 1 },
    })
    const headers = { 'sluice-cache-ttl': '10' }
    await (await house.ask({}, { headers })).text()
    await ended()
    later(12_000)
    isDown = true
    const allowed = { ...headers, 'cache-control': 'stale-if-error=60' }
    expect(statusOf(await house.ask({}, { headers: allowed }))).toBe('sluice; hit; detail=stale')
    expect((await house.ask({}, { headers })).status).toBe(529)
    isDown = false
    expect(statusOf(await house.ask({}, { headers: allowed }))).toBe('sluice; fwd=stale')
  })

  test('near its end one hit has it made anew', async () => {
    let made = 0
    const house = await open({
      answer: () => answered({ id: `msg_${(made += 1)}` }),
      random: () => 0.999_999,
    })
    const now = Date.now()
    // A call of a second.
    let calls = 0
    vi.spyOn(Date, 'now').mockImplementation(() => now + (made > 0 ? 1_000 : 0) + calls)
    const headers = { 'sluice-cache-ttl': '10' }
    await (await house.ask({}, { headers })).text()
    await ended()
    calls = 9_000
    const hit = await house.ask({}, { headers })
    expect(statusOf(hit)).toBe('sluice; hit')
    expect(await hit.json()).toMatchObject({ id: 'msg_1' })
    await vi.waitFor(() => expect(made).toBe(2))
    await ended()
    expect(await (await house.ask({}, { headers })).json()).toMatchObject({ id: 'msg_2' })
  })
})

test('an invalidation is seen by the next request, whatever this isolate holds', async () => {
  const house = await open({ answer: claude })
  const headers = { ...CACHED, 'sluice-cache-tags': 'news' }
  await (await house.ask({}, { headers })).text()
  expect(statusOf(await house.ask({}, { headers }))).toBe('sluice; hit')
  await world.store.invalidate(markOf({ tenant: 'acme', tag: 'news' }), null)
  expect(statusOf(await house.ask({}, { headers }))).toBe('sluice; fwd=miss')
  await ended()
  expect(statusOf(await house.ask({}, { headers }))).toBe('sluice; hit')
})

test('a hit asks no gate and no ledger, and its request counts', async () => {
  let admissions = 0
  const house = await open({
    answer: claude,
    tier: { requestsPerMinute: 3 },
    gates: (gates) => ({
      ...gates,
      admit: (...given) => {
        admissions += 1
        return gates.admit(...given)
      },
    }),
  })
  for (let asked = 0; asked < 3; asked += 1) {
    const answer = await house.ask({}, { headers: CACHED })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('ratelimit')).not.toBeNull()
    await answer.text()
  }
  expect(admissions).toBe(1)
  const refused = await house.ask({}, { headers: CACHED })
  expect(refused.status).toBe(429)
  expect(refused.headers.get('sluice-reason')).toBe('tenant_requests')
})

it('a store that is down is gone by', async () => {
  const house = await open({
    answer: claude,
    around: (store) => ({ ...store, look: () => Promise.reject(new Error('down')) }),
  })
  for (let asked = 0; asked < 2; asked += 1) {
    const answer = await house.ask({}, { headers: CACHED })
    expect(statusOf(answer)).toBe('sluice; fwd=bypass')
    expect(await answer.text()).toBe(answerText())
  }
  expect(world.sent()).toBe(2)
})

it('what was saved is counted', async () => {
  const house = await open({ answer: claude })
  for (let asked = 0; asked < 3; asked += 1) {
    await (await house.ask({}, { headers: CACHED })).text()
  }
  await house.settled()
  // 1,000 tokens in at $2 a million, 100 out at $10.
  expect(await world.store.readCounts()).toMatchObject({
    misses: 1,
    kept: 1,
    hits_memory: 2,
    saved_nano_usd: 2 * 3_000_000,
  })
})
