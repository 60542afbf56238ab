// Tenants and tiers as an operator manages them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AdminHouse, dataOf, openAdminHouse } from '../../support/admin-house.ts'

let house: AdminHouse

beforeAll(() => {
  house = openAdminHouse({ SLUICE_WEBHOOK_ALLOW: 'http://127.0.0.1:9000' })
})
afterAll(() => house.close())

const create = async (body: object = {}) => {
  const answer = await house.ask('POST /tenants', { body: { name: 'Acme', tier: 'free', ...body } })
  expect(answer.status, JSON.stringify(answer.body)).toBe(201)
  return { ...answer.body, id: String(answer.body['id']) }
}

const messageOf = (answer: { readonly body: Readonly<Record<string, unknown>> }): string =>
  (answer.body['error'] as { readonly message: string }).message

describe('a tenant', () => {
  it('is made with a name and a tier, and shown in the shape of the contract', async () => {
    const tenant = await create()
    expect(tenant).toEqual({
      id: expect.stringMatching(/^tnt_[0-9a-f]{20}$/),
      name: 'Acme',
      tier: 'free',
      settings: {
        auto_prompt_cache: true,
        cache_ttl_seconds: null,
        limits_fail: 'count',
        origins: null,
        webhook_endpoint: null,
      },
      overrides: {},
      disabled: false,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    })
    expect((await house.ask(`GET /tenants/${tenant.id}`)).body).toEqual(tenant)
  })

  it('may have an id of its operator, which is then taken', async () => {
    expect(await create({ id: 'my-team.eu_1' })).toMatchObject({ id: 'my-team.eu_1' })
    const again = await house.ask('POST /tenants', {
      body: { id: 'my-team.eu_1', name: 'x', tier: 'free' },
    })
    expect(again.status).toBe(400)
    expect(messageOf(again)).toMatch(/^id: /)
  })

  it('is changed field by field: settings one by one, overrides as a whole', async () => {
    const { id } = await create({
      settings: { origins: ['https://a.test'], auto_prompt_cache: false },
      overrides: { requests_per_minute: 5, budget_usd_per_day: null },
    })
    const changed = await house.ask(`PATCH /tenants/${id}`, {
      body: {
        settings: { auto_prompt_cache: null, limits_fail: 'closed' },
        overrides: { max_concurrent: 1 },
        tier: 'premium',
        disabled: true,
      },
    })
    expect(changed.status).toBe(200)
    expect(changed.body).toMatchObject({
      name: 'Acme',
      tier: 'premium',
      disabled: true,
      settings: { origins: ['https://a.test'], auto_prompt_cache: true, limits_fail: 'closed' },
      overrides: { max_concurrent: 1 },
    })
    expect(changed.body['overrides']).toEqual({ max_concurrent: 1 })
    expect((await house.ask(`GET /tenants/${id}`)).body).toEqual(changed.body)
  })

  it('keeps both of two changes that come at once', async () => {
    const { id } = await create()
    const answers = await Promise.all([
      house.ask(`PATCH /tenants/${id}`, { body: { name: 'renamed' } }),
      house.ask(`PATCH /tenants/${id}`, { body: { settings: { cache_ttl_seconds: 7 } } }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect((await house.ask(`GET /tenants/${id}`)).body).toMatchObject({
      name: 'renamed',
      settings: { cache_ttl_seconds: 7 },
    })
  })

  it('is gone once deleted, with its keys', async () => {
    const { id } = await create()
    const key = await house.ask(`POST /tenants/${id}/keys`, { body: {} })
    expect((await house.ask(`DELETE /tenants/${id}`)).body).toEqual({ id, deleted: true })
    for (const route of [
      `GET /tenants/${id}`,
      `DELETE /tenants/${id}`,
      `PATCH /tenants/${id}`,
      `GET /tenants/${id}/keys`,
      `POST /tenants/${id}/keys`,
      `PATCH /keys/${String(key.body['id'])}`,
    ]) {
      const answer = await house.ask(route, route.startsWith('P') ? { body: {} } : {})
      expect([route, answer.status]).toEqual([route, 404])
      expect(answer.headers.get('sluice-reason')).toBe('not_found')
    }
  })

  it.each<[unknown, RegExp]>([
    ['{', /^The body is not JSON$/],
    ['[]', /^The body: expected an object$/],
    ['null', /^The body: expected an object$/],
    [{}, /^name: is missing; tier: is missing$/],
    [{ name: '', tier: 'free' }, /^name: expected a text of 1 to 200/],
    [{ name: 'a\u0000b', tier: 'free' }, /^name: expected/],
    [{ name: 'a\u202eb', tier: 'free' }, /^name: expected/],
    [{ name: 1, tier: 'free' }, /^name: expected a text/],
    [{ name: 'a', tier: 'nowhere' }, /^tier: expected the name of a tier that exists/],
    [{ name: 'a', tier: null }, /^tier: expected/],
    [{ name: 'a', tier: 'free', id: '../x' }, /^id: expected/],
    [{ name: 'a', tier: 'free', plan: 1 }, /^plan: there is no such field/],
    [{ name: 'a', tier: 'free', created_at: 1 }, /^created_at: there is no such field/],
    ['{"name":"a","tier":"free","__proto__":{}}', /^__proto__: there is no such field/],
    [{ name: 'a', tier: 'free', disabled: 'no' }, /^disabled: expected true or false/],
    [{ name: 'a', tier: 'free', settings: [] }, /^settings: expected an object/],
    [{ name: 'a', tier: 'free', settings: { origin: [] } }, /^settings\.origin: there is no such/],
    [
      { name: 'a', tier: 'free', settings: { origins: ['https://a.test', 'a.test'] } },
      /^settings\.origins\[1\]: expected an origin/,
    ],
    [
      { name: 'a', tier: 'free', settings: { origins: ['https://a.test/'] } },
      /^settings\.origins\[0\]/,
    ],
    [
      { name: 'a', tier: 'free', settings: { origins: ['https://a.test:443'] } },
      /^settings\.origins\[0\]/,
    ],
    [{ name: 'a', tier: 'free', settings: { limits_fail: 'ajar' } }, /^settings\.limits_fail: /],
    [{ name: 'a', tier: 'free', settings: { cache_ttl_seconds: 1.5 } }, /cache_ttl_seconds: /],
    [{ name: 'a', tier: 'free', settings: { webhook_endpoint: 'http://a.test' } }, /webhook_endp/],
    [{ name: 'a', tier: 'free', overrides: { name: 'x' } }, /^overrides\.name: there is no such/],
    [{ name: 'a', tier: 'free', overrides: { max_concurrent: 0 } }, /^overrides\.max_concurrent: /],
    [{ name: 'a', tier: 'free', overrides: { max_concurrent: '2' } }, /^overrides\.max_concurr/],
    [{ name: 'a', tier: 'free', overrides: { budget_usd_per_day: -1 } }, /^overrides\.budget_usd/],
    [{ name: 'a', tier: 'free', overrides: { lane: null } }, /^overrides\.lane: expected one of/],
    [
      { name: 'a', tier: 'free', overrides: { on_overload: 'downgrade' } },
      /^overrides\.downgrade_to: expected a model/,
    ],
  ])('that is written as %j is refused, and told why', async (body, message) => {
    const before = dataOf(await house.ask('GET /tenants')).length
    const answer = await house.ask('POST /tenants', { body })
    expect(answer.status).toBe(400)
    expect(messageOf(answer)).toMatch(message)
    expect(dataOf(await house.ask('GET /tenants'))).toHaveLength(before)
  })

  it('with a hundred things wrong is told of the first ten', async () => {
    const body = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`wrong_${at}`, 1]))
    const message = messageOf(await house.ask('POST /tenants', { body }))
    expect(message).toMatch(/^wrong_0: .*; wrong_9: [^;]*; and 92 more$/)
  })

  it.each([
    'https://hooks.acme.test/a?b=c',
    'https://hooks.acme.test:8443',
    'http://127.0.0.1:9000/hook',
  ])('may be told at %s', async (endpoint) => {
    await create({ settings: { webhook_endpoint: endpoint } })
  })

  it.each([
    'https://hooks.acme.test:444/',
    'https://user@hooks.acme.test/',
    'http://127.0.0.1:9001/hook',
    'ftp://hooks.acme.test/',
    'https://127.0.0.1/',
    'https://0x7f.1/',
    'https://metadata.google.internal/',
    '',
  ])('may not be told at %j', async (endpoint) => {
    const settings = { webhook_endpoint: endpoint }
    const body = { name: 'a', tier: 'free', settings }
    const { id } = await create()
    for (const answer of [
      await house.ask('POST /tenants', { body }),
      await house.ask(`PATCH /tenants/${id}`, { body: { settings } }),
    ]) {
      expect(answer.status).toBe(400)
      expect(answer.headers.get('sluice-reason')).toBe('webhook_url_refused')
      expect(messageOf(answer)).toMatch(/^settings\.webhook_endpoint: expected /)
    }
  })

  it('that is too long to read is refused', async () => {
    const body = { name: 'a', tier: 'free', id: 'x'.repeat(65 * 1024) }
    const answer = await house.ask('POST /tenants', { body })
    expect(answer.status).toBe(413)
    expect(answer.headers.get('sluice-reason')).toBe('body_too_large')
  })

  it('that is not sent as JSON is refused', async () => {
    const body = 'name=a'
    for (const [name, value] of [
      ['content-type', 'application/x-www-form-urlencoded'],
      ['content-encoding', 'gzip'],
    ] as const) {
      const answer = await house.ask('POST /tenants', { body, headers: { [name]: value } })
      expect(answer.status).toBe(400)
      expect(messageOf(answer)).toMatch(new RegExp(`^${name}: `))
    }
  })
})

describe('a list', () => {
  it('comes in pages that hold everything once', async () => {
    const paged = openAdminHouse()
    const ids: unknown[] = []
    for (let at = 0; at < 5; at++) {
      const { body } = await paged.ask('POST /tenants', { body: { name: `t${at}`, tier: 'free' } })
      ids.push(body['id'])
    }
    const seen: unknown[] = []
    let page = ''
    for (const expected of [2, 2, 1]) {
      const { body, status } = await paged.ask(`GET /tenants?limit=2${page}`)
      expect(status).toBe(200)
      const data = body['data'] as { id: string }[]
      expect(data).toHaveLength(expected)
      expect(body['has_more']).toBe(expected === 2)
      seen.push(...data.map(({ id }) => id))
      page = `&page=${String(body['next_page'])}`
    }
    expect(page).toBe('&page=null')
    expect(new Set(seen)).toEqual(new Set(ids))
    paged.close()
  })

  it.each([
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=ten', 'limit'],
    ['page=', 'page'],
    ['page=%00', 'page'],
    ['page=bm9uc2Vuc2U', 'page'],
    ['page=WzEsMl0', 'page'],
    ['tenat=x', 'tenat'],
  ])('asked for by ?%s is refused, and told why', async (query, name) => {
    const answer = await house.ask(`GET /tenants?${query}`)
    expect(answer.status).toBe(400)
    expect(messageOf(answer)).toMatch(new RegExp(`^${name}: `))
  })
})

describe('a tier', () => {
  it('is shown in the shape of the contract', async () => {
    expect((await house.ask('GET /tiers/premium')).body).toEqual({
      name: 'premium',
      requests_per_minute: 100,
      requests_per_hour: 10_000,
      max_concurrent: 20,
      input_tokens_per_minute: 1_000_000,
      output_tokens_per_minute: 200_000,
      budget_usd_per_day: 100,
      budget_usd_per_month: null,
      lane: 'normal',
      on_overload: 'wait',
      downgrade_to: null,
      max_wait_ms: null,
    })
    const names = dataOf(await house.ask('GET /tiers')).map((tier) => tier['name'])
    expect(names).toEqual(expect.arrayContaining(['enterprise', 'free', 'premium']))
  })

  it('may be put back as it was read, and the same again changes nothing', async () => {
    const { body } = await house.ask('GET /tiers/premium')
    expect((await house.ask('PUT /tiers/premium', { body })).body).toEqual(body)
    expect((await house.ask('PUT /tiers/premium', { body })).body).toEqual(body)
    expect(dataOf(await house.ask('GET /events?target=premium'))).toEqual([])
  })

  it('is made by its name; what is left out is unlimited', async () => {
    const body = { max_concurrent: 3, on_overload: 'downgrade', downgrade_to: 'claude-haiku-5-5' }
    const answer = await house.ask('PUT /tiers/small-1', { body })
    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({ ...body, requests_per_minute: null, lane: 'normal' })
    expect((await house.ask('GET /tiers/small-1')).body).toEqual(answer.body)
  })

  it.each<[string, unknown, RegExp]>([
    ['x', { on_overload: 'downgrade' }, /^downgrade_to: expected a model/],
    ['x', { on_overload: 'downgrade', downgrade_to: null }, /^downgrade_to: expected a model/],
    ['x', { name: 'y' }, /^name: expected the name in the path/],
    ['x', { lane: 'fast' }, /^lane: expected one of high, normal, low/],
    ['x', { requests_per_minute: 0 }, /^requests_per_minute: expected a whole number from 1/],
    ['x', { budget_usd_per_day: '1' }, /^budget_usd_per_day: expected a number/],
    ['x', { request_per_minute: 1 }, /^request_per_minute: there is no such field/],
    ['-x', {}, /^name in the path/],
  ])('%s that is written as %j is refused, and told why', async (name, body, message) => {
    const answer = await house.ask(`PUT /tiers/${name}`, { body })
    expect(answer.status).toBe(400)
    expect(messageOf(answer)).toMatch(message)
    expect((await house.ask(`GET /tiers/${name}`)).status).toBe(404)
  })
})

describe('the audit trail', () => {
  it('shows each change with its author and its request', async () => {
    const { id } = await create()
    const patched = await house.ask(`PATCH /tenants/${id}`, { body: { name: 'New' } })
    const [event, ...older] = dataOf(
      await house.ask(`GET /events?tenant=${id}&action=tenant.update`),
    )
    expect(older).toEqual([])
    expect(event).toEqual({
      id: expect.stringMatching(/^evt_[0-9a-f]{24}$/),
      created_at: expect.stringMatching(/Z$/),
      actor: expect.stringMatching(/^admin:[0-9a-f]{8}$/),
      action: 'tenant.update',
      target: id,
      tenant: id,
      request_id: patched.headers.get('request-id'),
      before: expect.objectContaining({ name: 'Acme' }),
      after: expect.objectContaining({ name: 'New' }),
    })
  })

  it.each([
    ['from=yesterday', 'from'],
    ['to=2026-02-30T00:00:00Z', 'to'],
    ['to=1795000000000', 'to'],
    ['actor=x', 'actor'],
  ])('asked for by ?%s is refused, and told why', async (query, name) => {
    const answer = await house.ask(`GET /events?${query}`)
    expect(answer.status).toBe(400)
    expect(messageOf(answer)).toMatch(new RegExp(`^${name}: `))
  })

  it('is narrowed by time', async () => {
    const { id } = await create()
    const find = async (query: string) =>
      dataOf(await house.ask(`GET /events?target=${id}&${query}`)).length
    expect(await find('from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00%2B02:00')).toBe(1)
    expect(await find('to=2020-01-01T00:00:00Z')).toBe(0)
  })
})
