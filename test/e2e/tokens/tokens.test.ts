// Browser tokens over HTTP: made with a key, bound to what they say, dead with their key.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claudeCall, errorOf } from '../../support/claude-call.ts'
import { untilHeld } from '../../support/change-holds.ts'
import { eventually } from '../../support/eventually.ts'
import { changeDatabase } from '../../support/gateway-database.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { type RawAnswer, send } from '../../support/raw-http.ts'
import { addTenant } from '../../support/tenants.ts'

const KEY_CACHE_MS = 400
/** Between a change and our noticing that it was made. */
const MARGIN_MS = 100
const ORIGIN = 'https://app.example'

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startTestGateway({ settings: { SLUICE_KEY_CACHE_MS: KEY_CACHE_MS } })
})

afterAll(() => gateway.stop())

const request = (key: string, body: unknown): Promise<RawAnswer> =>
  send(gateway.url, {
    path: '/v1/tokens',
    headers: [
      ['x-api-key', key],
      ['content-type', 'application/json'],
    ],
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

async function makeToken(key: string, fields: Record<string, unknown> = {}): Promise<string> {
  const answer = await request(key, { ttl_seconds: 60, origin: ORIGIN, ...fields })
  expect(answer.status, answer.body.toString()).toBe(200)
  return (JSON.parse(answer.body.toString()) as { token: string }).token
}

const ask = (token: string, origin: string | null = ORIGIN, fields = {}): Promise<RawAnswer> =>
  send(
    gateway.url,
    claudeCall({ key: token, fields, headers: origin === null ? [] : [['origin', origin]] }),
  )

const preflight = (origin: string): Promise<RawAnswer> =>
  send(gateway.url, {
    method: 'OPTIONS',
    path: '/v1/messages',
    headers: [
      ['origin', origin],
      ['access-control-request-method', 'POST'],
    ],
  })

const reasonOf = ({ headers }: RawAnswer): unknown => headers['sluice-reason']

/** A tenant that names no origins: closed to pages but for its tokens. */
const newTenant = () => addTenant(gateway.dir, { tier: 'premium' })

describe('a token', () => {
  it('is made with a key, says when it ends, and is not to be kept by a cache', async () => {
    const { key } = await newTenant()
    const before = Date.now()
    const answer = await request(key, { ttl_seconds: 90, origin: ORIGIN })
    const made = JSON.parse(answer.body.toString()) as { token: string; expires_at: string }
    expect(Object.keys(made).toSorted()).toEqual(['expires_at', 'token'])
    expect(made.token).toMatch(/^slt_/)
    const leftMs = Date.parse(made.expires_at) - before
    expect(leftMs).toBeGreaterThan(88_000)
    expect(leftMs).toBeLessThanOrEqual(91_000)
    expect(answer.headers['cache-control']).toBe('no-store')
  })

  it('lets pages of its origin in, by either header, and no others', async () => {
    const { key } = await newTenant()
    const token = await makeToken(key)
    const answer = await ask(token)
    expect(answer.status, answer.body.toString()).toBe(200)
    expect(answer.headers['access-control-allow-origin']).toBe(ORIGIN)
    const bearer = await send(gateway.url, {
      ...claudeCall({ key: '' }),
      headers: [
        ['authorization', `Bearer ${token}`],
        ['anthropic-version', '2023-06-01'],
        ['content-type', 'application/json'],
        ['origin', ORIGIN],
      ],
    })
    expect(bearer.status).toBe(200)
    for (const origin of ['https://evil.example', `${ORIGIN}:444`, 'null', null]) {
      const refused = await ask(token, origin)
      expect([refused.status, reasonOf(refused)]).toEqual([403, 'origin_not_allowed'])
      expect(errorOf(refused).error.type).toBe('permission_error')
    }
    // The key itself is still closed to pages.
    expect(reasonOf(await ask(key))).toBe('origin_not_allowed')
  })

  it('ends at its very second', async () => {
    const token = await makeToken((await newTenant()).key, { ttl_seconds: 2 })
    expect((await ask(token)).status).toBe(200)
    const refused = await eventually(
      () => ask(token),
      ({ status }) => status !== 200,
      { withinMs: 2_500, everyMs: 20 },
    )
    expect([refused.status, reasonOf(refused)]).toEqual([401, 'token_expired'])
  })

  it.each([
    ['is disabled', 'UPDATE keys SET disabled = 1 WHERE id = ?', 401, 'key_revoked'],
    ['is deleted', 'DELETE FROM keys WHERE id = ?', 401, 'key_revoked'],
    [
      "loses its tenant's consent",
      'UPDATE tenants SET disabled = 1 WHERE id = (SELECT tenant FROM keys WHERE id = ?)',
      403,
      'tenant_disabled',
    ],
  ])('is refused within the cache time when its key %s', async (_, sql, status, reason) => {
    const { key, keyId } = await newTenant()
    const token = await makeToken(key)
    expect((await ask(token)).status).toBe(200)
    expect(changeDatabase(gateway.dir, sql, keyId)).toBe(1)
    const { answer: refused, heldAfterMs } = await untilHeld(
      () => ask(token),
      (answer) => answer.status !== 200,
    )
    expect([refused.status, reasonOf(refused)]).toEqual([status, reason])
    expect(heldAfterMs).toBeLessThan(KEY_CACHE_MS + MARGIN_MS)
  })

  it('may use what both it and its key allow, and lists no other models', async () => {
    const { key } = await addTenant(gateway.dir, { models: ['claude-haiku-*', 'claude-opus-5'] })
    const token = await makeToken(key, { models: ['claude-haiku-*', 'claude-sonnet-*'] })
    const model = async (name: string) => reasonOf(await ask(token, ORIGIN, { model: name }))
    expect(await model('claude-haiku-5-5')).toBeUndefined()
    expect(await model('claude-opus-5')).toBe('model_not_allowed')
    expect(await model('claude-sonnet-5-5')).toBe('model_not_allowed')
    const list = await send(gateway.url, {
      path: '/v1/models?limit=1000',
      headers: [
        ['x-api-key', token],
        ['origin', ORIGIN],
        ['anthropic-version', '2023-06-01'],
      ],
    })
    const { data } = JSON.parse(list.body.toString()) as { data: { id: string }[] }
    expect(data.length).toBeGreaterThan(0)
    expect(data.filter(({ id }) => !id.startsWith('claude-haiku-'))).toEqual([])
  })

  it("spends for its own user, whatever the page says, and sees that user's usage only", async () => {
    const { key } = await newTenant()
    const token = await makeToken(key, { user: 'zoe' })
    const call = (credential: string, headers: [string, string][]) =>
      send(gateway.url, claudeCall({ key: credential, headers }))
    await call(token, [
      ['origin', ORIGIN],
      ['sluice-user', 'somebody-else'],
    ])
    await call(key, [['sluice-user', 'boss']])
    const usersSeenBy = async (credential: string): Promise<string[]> => {
      const answer = await send(gateway.url, {
        path: '/v1/usage?group_by=user',
        headers: [
          ['x-api-key', credential],
          ['origin', credential === token ? ORIGIN : ''],
        ].filter(([, value]) => value !== '') as [string, string][],
      })
      const { data } = JSON.parse(answer.body.toString()) as { data: { user: string }[] }
      return data.map(({ user }) => user).toSorted()
    }
    const all = await eventually(
      () => usersSeenBy(key),
      (users) => users.length === 2,
      { withinMs: 2_000 },
    )
    expect(all).toEqual(['boss', 'zoe'])
    expect(await usersSeenBy(token)).toEqual(['zoe'])
  })

  it('makes no token, and opens nothing of the admin plane', async () => {
    const token = await makeToken((await newTenant()).key)
    const answer = await send(gateway.url, {
      path: '/v1/tokens',
      headers: [
        ['x-api-key', token],
        ['origin', ORIGIN],
        ['content-type', 'application/json'],
      ],
      body: JSON.stringify({ ttl_seconds: 60, origin: ORIGIN }),
    })
    expect([answer.status, reasonOf(answer)]).toEqual([401, 'key_malformed'])
    const admin = await send(gateway.url, {
      path: '/admin/v1/tenants',
      headers: [
        ['authorization', `Bearer ${token}`],
        ['origin', ORIGIN],
      ],
    })
    expect(admin.status).toBeGreaterThanOrEqual(400)
    expect(admin.body.toString()).not.toContain('"data"')
  })

  it('that was changed or cut is refused without a store', async () => {
    const token = await makeToken((await newTenant()).key)
    const [head = '', payload = '', signature = ''] = token.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
    const wider = Buffer.from(JSON.stringify({ ...claims, exp: 4e9 })).toString('base64url')
    const before = gateway.redis.stats().http_requests
    for (const [text, reason] of [
      [`${head}.${wider}.${signature}`, 'key_unknown'],
      [token.slice(0, -1), 'key_malformed'],
      ['slt_', 'key_malformed'],
    ] as const) {
      const refused = await ask(text)
      expect([refused.status, reasonOf(refused)]).toEqual([401, reason])
    }
    expect(gateway.redis.stats().http_requests).toBe(before)
  })
})

describe('a request for a token', () => {
  it.each([
    ['not json', 'invalid_json', 'body'],
    ['[]', 'invalid_request', 'body'],
    [{ origin: ORIGIN }, 'invalid_request', 'ttl_seconds'],
    [{ ttl_seconds: 3_601, origin: ORIGIN }, 'invalid_request', 'ttl_seconds'],
    [{ ttl_seconds: 60, origin: '*' }, 'invalid_request', 'origin'],
    [{ ttl_seconds: 60, origin: ORIGIN, budget_usd: -1 }, 'invalid_request', 'budget_usd'],
    [{ ttl_seconds: 60, origin: ORIGIN, scope: 'all' }, 'invalid_request', 'scope'],
  ])('with %j is refused as %s and names %s', async (body, reason, field) => {
    const answer = await request(gateway.keys.premium, body)
    expect([answer.status, reasonOf(answer)]).toEqual([400, reason])
    expect(errorOf(answer).error.message).toMatch(new RegExp(`^${field}: `))
  })

  it("is refused for an origin that the key's tenant does not list", async () => {
    const { key } = await addTenant(gateway.dir, { settings: { origins: [ORIGIN] } })
    const answer = await request(key, { ttl_seconds: 60, origin: 'https://evil.example' })
    expect([answer.status, reasonOf(answer)]).toEqual([403, 'origin_not_allowed'])
    expect((await request(key, { ttl_seconds: 60, origin: ORIGIN })).status).toBe(200)
  })

  it('of a wrong key is refused', async () => {
    const answer = await request('slk_no', { ttl_seconds: 60, origin: ORIGIN })
    expect([answer.status, reasonOf(answer)]).toEqual([401, 'key_malformed'])
  })
})

describe('a preflight', () => {
  it("is answered for a token's origin at once, and never with *", async () => {
    // The seeded tenants allow every origin; without them only what is listed or lent counts.
    changeDatabase(gateway.dir, `UPDATE tenants SET settings = '{}' WHERE id LIKE 'dev-%'`)
    const origin = 'https://page-of-a-token.example'
    const { answer: refused, heldAfterMs } = await untilHeld(
      () => preflight(origin),
      ({ status }) => status !== 204,
    )
    expect(heldAfterMs).toBeLessThan(KEY_CACHE_MS + MARGIN_MS)
    expect([refused.status, reasonOf(refused)]).toEqual([403, 'origin_not_allowed'])
    await makeToken((await newTenant()).key, { origin })
    const allowed = await preflight(origin)
    expect(allowed.status).toBe(204)
    expect(allowed.headers['access-control-allow-origin']).toBe(origin)
    expect((await preflight('https://nobody.example')).status).toBe(403)
  })
})
