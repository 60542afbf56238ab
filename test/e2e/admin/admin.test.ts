// The admin plane of a running gateway: who gets in by which path, and how soon a change holds for those who call.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claudeCall, usageOf } from '../../support/claude-call.ts'
import { untilHeld } from '../../support/change-holds.ts'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { changeDatabase } from '../../support/gateway-database.ts'
import { type RawAnswer, send } from '../../support/raw-http.ts'

const KEY_CACHE_MS = 400
/** Between a change and our noticing that it was acknowledged. */
const MARGIN_MS = 100
const GRACE_MS = 2_000
/** The gates hand their usage to D1 every ten seconds. */
const ROLLED_UP_WITHIN_MS = 25_000

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startTestGateway({ settings: { SLUICE_KEY_CACHE_MS: KEY_CACHE_MS } })
})
afterAll(() => gateway.stop())

type Json = Readonly<Record<string, unknown>>

interface Ask {
  readonly body?: unknown
  readonly token?: string
  readonly headers?: readonly (readonly [string, string])[]
}

const askRaw = (route: string, { body, token, headers = [] }: Ask = {}): Promise<RawAnswer> => {
  const [method = '', path = ''] = route.split(' ')
  return send(gateway.url, {
    method,
    path,
    headers: [['authorization', `Bearer ${token ?? gateway.adminToken}`], ...headers],
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

async function ask(route: string, options: Ask = {}): Promise<Json> {
  const [method = '', path = ''] = route.split(' ')
  const answer = await askRaw(`${method} /admin/v1${path}`, options)
  expect(answer.status, `${route}: ${answer.body.toString()}`).toBeLessThan(300)
  return JSON.parse(answer.body.toString()) as Json
}

const dataOf = (list: Json): readonly Json[] => list['data'] as readonly Json[]

async function newCaller(tenantFields: object = {}, keyFields: object = {}) {
  const tenant = await ask('POST /tenants', {
    body: { name: 'End to end', tier: 'enterprise', ...tenantFields },
  })
  const id = String(tenant['id'])
  const key = await ask(`POST /tenants/${id}/keys`, { body: keyFields })
  return { tenant: id, keyId: String(key['id']), key: String(key['key']) }
}

const call = (key: string, headers: readonly (readonly [string, string])[] = []) =>
  send(gateway.url, claudeCall({ key, headers }))

const isRefused = ({ status }: RawAnswer): boolean => status !== 200

const reasonOf = ({ headers }: RawAnswer): unknown => headers['sluice-reason']

describe('a change by an operator', () => {
  it.each<[string, (ids: { tenant: string; keyId: string }) => Promise<unknown>, string]>([
    ['deletes the key', ({ keyId }) => ask(`DELETE /keys/${keyId}`), 'key_revoked'],
    [
      'disables the tenant',
      ({ tenant }) => ask(`PATCH /tenants/${tenant}`, { body: { disabled: true } }),
      'tenant_disabled',
    ],
    ['deletes the tenant', ({ tenant }) => ask(`DELETE /tenants/${tenant}`), 'key_unknown'],
    [
      'binds the key to other models',
      ({ keyId }) => ask(`PATCH /keys/${keyId}`, { body: { models: ['claude-haiku-*'] } }),
      'model_not_allowed',
    ],
    [
      'binds the key to other addresses',
      ({ keyId }) => ask(`PATCH /keys/${keyId}`, { body: { ips: ['192.0.2.0/24'] } }),
      'ip_not_allowed',
    ],
    [
      'overrides the limits of the tenant',
      ({ tenant }) =>
        ask(`PATCH /tenants/${tenant}`, { body: { overrides: { requests_per_minute: 1 } } }),
      'tenant_requests',
    ],
  ])('that %s holds within the cache time', async (_, change, reason) => {
    const caller = await newCaller()
    expect((await call(caller.key)).status).toBe(200)
    await change(caller)
    const { answer, heldAfterMs } = await untilHeld(() => call(caller.key), isRefused)
    expect(reasonOf(answer)).toBe(reason)
    expect(heldAfterMs).toBeLessThan(KEY_CACHE_MS + MARGIN_MS)
  })

  it('of a tier holds within the cache time for those who are in it', async () => {
    await ask('PUT /tiers/e2e-tier', { body: { on_overload: 'wait' } })
    const { key } = await newCaller({ tier: 'e2e-tier' })
    expect((await call(key)).status).toBe(200)
    await ask('PUT /tiers/e2e-tier', { body: { requests_per_hour: 1 } })
    const { answer, heldAfterMs } = await untilHeld(() => call(key), isRefused)
    expect(reasonOf(answer)).toBe('tenant_requests')
    expect(heldAfterMs).toBeLessThan(KEY_CACHE_MS + MARGIN_MS)
  })

  it('rotates a key: both secrets work for the grace, then the new one alone', async () => {
    const { key, keyId } = await newCaller()
    const rotated = await ask(`POST /keys/${keyId}/rotate`, {
      body: { grace_seconds: GRACE_MS / 1000 },
    })
    const rotatedAt = performance.now()
    const renewed = String(rotated['key'])
    expect([(await call(renewed)).status, (await call(key)).status]).toEqual([200, 200])
    const { answer, heldAfterMs } = await untilHeld(() => call(key), isRefused)
    expect(reasonOf(answer)).toBe('key_expired')
    expect(heldAfterMs).toBeLessThan(GRACE_MS + KEY_CACHE_MS + MARGIN_MS)
    expect(performance.now() - rotatedAt).toBeGreaterThanOrEqual(GRACE_MS - 100)
    expect((await call(renewed)).status).toBe(200)
  })

  it('binds a key to the address that Cloudflare names', async () => {
    const { key } = await newCaller({}, { ips: ['2001:db8::/32'] })
    expect((await call(key, [['cf-connecting-ip', '2001:db8::7']])).status).toBe(200)
    expect(reasonOf(await call(key, [['cf-connecting-ip', '2001:db9::7']]))).toBe('ip_not_allowed')
    expect(reasonOf(await call(key))).toBe('ip_not_allowed')
  })
})

describe('while many call at once', () => {
  const CALLERS = 24

  interface Made {
    readonly begunAt: number
    readonly answer: RawAnswer
  }

  /** Callers that go on until they are told to stop; what they were answered. */
  function callAllTheTime(key: string) {
    const made: Made[] = []
    let isOver = false
    const work = async (): Promise<void> => {
      while (!isOver) {
        const begunAt = performance.now()
        made.push({ begunAt, answer: await call(key) })
      }
    }
    const working = Promise.all(Array.from({ length: CALLERS }, work))
    return {
      made,
      stop: async () => {
        isOver = true
        await working
      },
    }
  }
  const until = (at: number): Promise<unknown> =>
    eventually(
      () => performance.now(),
      (now) => now >= at,
      { withinMs: 10_000 },
    )
  const served = (made: readonly Made[]): number[] =>
    made.filter(({ answer }) => answer.status === 200).map(({ begunAt }) => begunAt)
  const refused = (made: readonly Made[]): Made[] =>
    made.filter(({ answer }) => answer.status !== 200)

  it('a key that is revoked serves no call that begins after the cache time, and fails none before', async () => {
    const { key, keyId } = await newCaller()
    const { made, stop } = callAllTheTime(key)
    await eventually(
      () => made.length,
      (length) => length > 3 * CALLERS,
      { withinMs: 10_000 },
    )
    const askedAt = performance.now()
    await ask(`DELETE /keys/${keyId}`)
    const holdsAt = performance.now() + KEY_CACHE_MS + MARGIN_MS
    await until(holdsAt + 100)
    await stop()
    expect(Math.max(...served(made))).toBeLessThan(holdsAt)
    const late = refused(made)
    expect(late.length).toBeGreaterThan(CALLERS)
    expect(new Set(late.map(({ answer }) => reasonOf(answer)))).toEqual(new Set(['key_revoked']))
    // Those that were under way when it was revoked are answered.
    expect(made.filter(({ begunAt }) => begunAt < askedAt - MARGIN_MS)).not.toContainEqual(
      expect.objectContaining({ answer: expect.objectContaining({ status: 401 }) as unknown }),
    )
  })

  it('a key that is rotated fails no call of either secret within the grace, and none of the new one after', async () => {
    const { key, keyId } = await newCaller()
    const before = callAllTheTime(key)
    const body = { grace_seconds: 1 }
    const askedAt = performance.now()
    const renewed = String((await ask(`POST /keys/${keyId}/rotate`, { body }))['key'])
    const answeredAt = performance.now()
    const after = callAllTheTime(renewed)
    await until(answeredAt + 1_000 + KEY_CACHE_MS + 2 * MARGIN_MS)
    await Promise.all([before.stop(), after.stop()])
    expect(refused(after.made)).toEqual([])
    expect(after.made.length).toBeGreaterThan(CALLERS)
    const late = refused(before.made)
    expect(late.length).toBeGreaterThan(0)
    expect(new Set(late.map(({ answer }) => reasonOf(answer)))).toEqual(new Set(['key_expired']))
    // Refused when it comes, which on a busy machine is after it begins.
    const last = late.map(({ begunAt, answer }) => begunAt + answer.tookMs)
    expect(Math.min(...last)).toBeGreaterThan(askedAt + 1_000)
    expect(Math.max(...served(before.made))).toBeLessThan(
      answeredAt + 1_000 + KEY_CACHE_MS + MARGIN_MS,
    )
  })
})

describe('a request that comes twenty times at once under one idempotency-key', () => {
  it('makes one tenant in D1, and each gets its answer', async () => {
    const name = `Once ${Date.now()}`
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        ask('POST /tenants', {
          body: { name, tier: 'free' },
          headers: [['idempotency-key', `e2e-${name.slice(5)}`]],
        }),
      ),
    )
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1)
    const tenants = dataOf(await ask('GET /tenants?limit=1000'))
    expect(tenants.filter((tenant) => tenant['name'] === name)).toHaveLength(1)
    const events = dataOf(await ask(`GET /events?target=${String(answers[0]?.['id'])}`))
    expect(events).toHaveLength(1)
  })
})

describe('a writer', () => {
  it('gets a bookmark, and sees its own write with it', async () => {
    const answer = await askRaw('POST /admin/v1/tenants', { body: { name: 'x', tier: 'free' } })
    const bookmark = String(answer.headers['sluice-bookmark'])
    expect(bookmark).toMatch(/^[0-9a-z-]+$/)
    expect(answer.headers['cache-control']).toBe('no-store')
    const { id } = JSON.parse(answer.body.toString()) as { id: string }
    const headers = [['sluice-bookmark', bookmark]] as const
    expect(await ask(`GET /tenants/${id}`, { headers })).toMatchObject({ id })
    const refused = await askRaw('GET /admin/v1/tenants', { headers: [['sluice-bookmark', 'a b']] })
    expect(refused.status).toBe(400)
  })
})

describe('usage', () => {
  it('of a tenant is there as soon as its call is, and over all tenants once it is rolled up', async () => {
    const { tenant, keyId, key } = await newCaller()
    const used = usageOf(await call(key, [['sluice-user', 'ann']]))
    const query = 'group_by=model,key,user'
    const own = await eventually(
      async () => dataOf(await ask(`GET /usage?tenant=${tenant}&${query}`)),
      (rows) => rows.length > 0,
      { withinMs: 5_000 },
    )
    expect(own).toEqual([
      expect.objectContaining({
        tenant,
        model: 'claude-sonnet-5-5',
        key: keyId,
        user: 'ann',
        requests: 1,
        input_tokens: used['input_tokens'],
        output_tokens: used['output_tokens'],
      }),
    ])
    const price = (2 * (used['input_tokens'] ?? 0) + 10 * (used['output_tokens'] ?? 0)) / 1e6
    expect(own[0]?.['cost_usd']).toBeCloseTo(price, 9)
    const all = await eventually(
      async () =>
        dataOf(await ask(`GET /usage?${query}&limit=1000`)).filter(
          (row) => row['tenant'] === tenant,
        ),
      (rows) => rows.length > 0,
      { withinMs: ROLLED_UP_WITHIN_MS, everyMs: 250 },
    )
    expect(all).toEqual(own)
    const [shown] = dataOf(await ask(`GET /tenants/${tenant}/keys`))
    expect(Date.parse(String(shown?.['last_used_at']))).toBeGreaterThan(Date.now() - 60_000)
  })
})

describe('the admin plane', () => {
  const ROUTES = [
    'POST /admin/v1/tenants',
    'GET /admin/v1/tenants',
    'GET /admin/v1/tenants/dev-free',
    'PATCH /admin/v1/tenants/dev-free',
    'DELETE /admin/v1/tenants/dev-free',
    'POST /admin/v1/tenants/dev-free/keys',
    'GET /admin/v1/tenants/dev-free/keys',
    'POST /admin/v1/keys/KEY/rotate',
    'PATCH /admin/v1/keys/KEY',
    'DELETE /admin/v1/keys/KEY',
    'GET /admin/v1/tiers/free',
    'PUT /admin/v1/tiers/free',
    'GET /admin/v1/usage',
    'GET /admin/v1/events',
  ]
  /** Ways to write the same place that a server in front may read otherwise than we do. */
  const TRICKS: readonly ((path: string) => string)[] = [
    (path) => path,
    (path) => `/${path}`,
    (path) => path.replace('/v1/', '//v1/'),
    (path) => path.replace('/admin', '/ADMIN'),
    (path) => path.replace('/admin', '/%61dmin'),
    (path) => path.replace('/admin', '/v1/%2e%2e/admin'),
    (path) => path.replace('/admin', '/v1/../admin'),
    (path) => path.replace('/admin/', '/admin%2f'),
    (path) => `${path}/`,
    (path) => `${path}?token=${gateway.adminToken}`,
  ]

  const snapshot = (): number =>
    changeDatabase(
      gateway.dir,
      `UPDATE tenants SET name = name WHERE id = 'dev-free' AND disabled = 0 AND overrides = '{}'
        AND EXISTS (SELECT 1 FROM tiers WHERE name = 'free' AND requests_per_minute = 10)`,
    )

  it("is shut for tenants' keys by every path and method, and does nothing", async () => {
    const stranger = await newCaller()
    const keyId = gateway.keys.free.slice(4, 14)
    const eventsBefore = dataOf(await ask('GET /events?limit=1000')).length
    const asked = ROUTES.flatMap((route) => {
      const [method = '', path = ''] = route.replace('KEY', keyId).split(' ')
      return TRICKS.map((trick) => `${method} ${trick(path)}`)
    })
    for (const token of [stranger.key, gateway.keys.enterprise]) {
      for (const route of asked) {
        const answer = await askRaw(route, {
          token,
          ...(route.startsWith('GET') ? {} : { body: { disabled: true, requests_per_minute: 1 } }),
          headers: [
            ['x-api-key', gateway.adminToken],
            ['x-http-method-override', 'GET'],
          ],
        })
        expect([401, 404], route).toContain(answer.status)
        expect(answer.body.toString()).not.toContain('dev-free"')
      }
    }
    expect(dataOf(await ask('GET /events?limit=1000'))).toHaveLength(eventsBefore)
    expect(snapshot()).toBe(1)
    expect((await call(gateway.keys.free)).status).toBe(200)
  })

  it('is at one place only, for the operator too', async () => {
    for (const trick of TRICKS.slice(1, 5)) {
      const path = trick('/admin/v1/tiers')
      expect([path, (await askRaw(`GET ${path}`)).status]).toEqual([path, 404])
    }
  })
})
