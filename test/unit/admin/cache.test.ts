// The response cache in an operator's hand: what is refused, what is noted, what is counted.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AdminHouse, dataOf, openAdminHouse } from '../../support/admin-house.ts'

let house: AdminHouse
beforeEach(() => {
  house = openAdminHouse()
})
afterEach(() => house.close())

const HASH = 'a'.repeat(64)

describe('an invalidation', () => {
  it.each([
    { tenant: 'acme' },
    { user: 'ann' },
    { model: 'claude-sonnet-5-5', tag: 'news' },
    { key: HASH },
    { key: 'acmeacmeac' },
    { older_than_seconds: 0 },
    { all: true },
    { all: true, older_than_seconds: 60 },
  ])('of %j has a number, and is noted', async (body) => {
    const { status, body: answer } = await house.ask('POST /cache/invalidate', { body })
    expect(status).toBe(200)
    const { generation } = answer as { generation: number }
    expect(generation).toBeGreaterThan(1_700_000_000_000)
    const [event] = dataOf(await house.ask('GET /events?action=cache.invalidate'))
    expect(event).toMatchObject({ target: String(generation), after: body })
    const next = await house.ask('POST /cache/invalidate', { body })
    expect((next.body as { generation: number }).generation).toBeGreaterThan(generation)
  })

  it.each([
    [{}, 'expected tenant, user, model, tag, key, older_than_seconds or all'],
    [{ all: false }, 'expected tenant'],
    [{ all: true, tenant: 'acme' }, 'all: goes with no tenant'],
    [{ key: 'short' }, 'key: expected'],
    [{ tag: 'a b' }, 'tag: expected'],
    [{ older_than_seconds: 1.5 }, 'older_than_seconds: expected'],
    [{ tennant: 'acme' }, 'tennant: there is no such field'],
  ])('of %j is refused by name', async (body, message) => {
    const { status, body: answer } = await house.ask('POST /cache/invalidate', { body })
    expect(status).toBe(400)
    expect(JSON.stringify(answer)).toContain(message)
  })
})

it('counts are there from the first day', async () => {
  const { status, body } = await house.ask('GET /cache/stats')
  expect(status).toBe(200)
  expect(body).toEqual({
    hits: { memory: 0, colo: 0, redis: 0, stale: 0, collapsed: 0 },
    misses: 0,
    bypasses: 0,
    refreshes: 0,
    evictions: 0,
    bytes: { kept: 0, served: 0 },
    answers_kept: 0,
    saved_usd: 0,
    saved_seconds: 0,
    this_isolate: { bytes: 0, answers: 0 },
  })
})

describe('warming', () => {
  const request = { model: 'm', max_tokens: 1, messages: [{ role: 'user', content: 'Hi' }] }
  it.each([
    [{ tenant: 'acme' }, 400, 'requests: expected'],
    [{ tenant: 'acme', requests: [] }, 400, 'requests: expected'],
    [{ tenant: 'acme', requests: Array.from({ length: 101 }, () => request) }, 400, 'requests: '],
    [{ requests: [request] }, 400, 'tenant: is missing'],
    [{ tenant: 'acme', requests: [request], ttl: 'soon' }, 400, 'ttl: expected'],
    [{ tenant: 'acme', requests: [request] }, 404, 'tenant: there is none'],
    [[], 400, 'requests: expected'],
  ])('%j is answered with %i', async (body, expected, message) => {
    const { status, body: answer } = await house.ask('POST /cache/warm', { body })
    expect(status).toBe(expected)
    expect(JSON.stringify(answer)).toContain(message)
  })

  it('is no other JSON than it should be', async () => {
    const { status } = await house.ask('POST /cache/warm', {
      body: '{"tenant":"acme","requests":[',
    })
    expect(status).toBe(400)
  })
})

it('none of it opens without the admin token', async () => {
  for (const route of ['POST /cache/invalidate', 'POST /cache/warm', 'GET /cache/stats']) {
    expect((await house.ask(route, { token: null })).status).toBe(401)
  }
})
