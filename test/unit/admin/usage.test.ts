// What was used, as an operator reads it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AdminHouse, dataOf, openAdminHouse } from '../../support/admin-house.ts'

let house: AdminHouse

const USED = [
  // tenant, day, model, key, user, requests, cost in nano-dollars
  ['acme', '2026-11-01', 'claude-haiku-5-5', 'k1', '', 1, 1_234],
  ['acme', '2026-11-01', 'claude-sonnet-5-5', 'k1', 'ann', 2, 2_000_000_001],
  ['acme', '2026-11-02', 'claude-sonnet-5-5', 'k2', 'bob', 3, 3_000],
  ['zeta', '2026-11-02', 'claude-sonnet-5-5', 'k3', '', 4, 5_000_000],
  ['zeta', '2026-12-01', 'claude-sonnet-5-5', 'k3', '', 5, 7],
] as const

beforeAll(async () => {
  house = openAdminHouse()
  // The other one was deleted: what it used is still there.
  await house.ask('POST /tenants', { body: { id: 'acme', name: 'Acme', tier: 'free' } })
  const insert = house.db.prepare(
    'INSERT INTO usage VALUES (?1, ?2, ?3, ?4, ?5, ?6, 10, 20, 30, 40, ?7, 50000)',
  )
  for (const row of USED) insert.run(...row)
})
afterAll(() => house.close())

const NOVEMBER = 'from=2026-11-01&to=2026-11-30'

const ask = async (query: string) => {
  const answer = await house.ask(`GET /usage?${NOVEMBER}${query}`)
  expect(answer.status, JSON.stringify(answer.body)).toBe(200)
  return dataOf(answer)
}

describe('usage', () => {
  it('of all tenants is summed by the fields asked for, and shows only these', async () => {
    const sums = {
      input_tokens: 10,
      output_tokens: 20,
      cache_write_tokens: 30,
      cache_read_tokens: 40,
      saved_usd: 0.000_05,
    }
    expect(await ask('&group_by=day')).toEqual([
      {
        tenant: 'acme',
        day: '2026-11-01',
        requests: 3,
        input_tokens: 20,
        output_tokens: 40,
        cache_write_tokens: 60,
        cache_read_tokens: 80,
        cost_usd: 2.000_001_235,
        saved_usd: 0.000_1,
      },
      { tenant: 'acme', day: '2026-11-02', requests: 3, ...sums, cost_usd: 0.000_003 },
      { tenant: 'zeta', day: '2026-11-02', requests: 4, ...sums, cost_usd: 0.005 },
    ])
  })

  it.each(['day', 'model', 'key', 'user', 'day,model', 'user,key', 'day,model,key,user'])(
    'by %s says the same of one tenant alone as of that tenant among all',
    async (groupBy) => {
      const all = await ask(`&group_by=${groupBy}`)
      for (const tenant of ['acme', 'zeta']) {
        const own = await ask(`&group_by=${groupBy}&tenant=${tenant}`)
        expect(own).toEqual(all.filter((row) => row['tenant'] === tenant))
        expect(Object.keys(own[0] ?? {}).slice(0, -7)).toEqual(['tenant', ...groupBy.split(',')])
      }
    },
  )

  it.each(['', '&tenant=acme'])('%j comes in pages that hold each row once', async (tenant) => {
    const query = `&group_by=model,day${tenant}`
    const whole = await ask(query)
    const seen: unknown[] = []
    for (let page = ''; ;) {
      const answer = await house.ask(`GET /usage?${NOVEMBER}${query}&limit=1${page}`)
      seen.push(...dataOf(answer))
      if (answer.body['has_more'] === false) break
      page = `&page=${String(answer.body['next_page'])}`
    }
    expect(seen).toEqual(whole)
  })

  it('of a tenant that is gone comes in pages too, and asks no ledger for it', async () => {
    const query = '/usage?from=2026-11-01&to=2026-12-31&group_by=day&tenant=zeta&limit=1'
    const first = await house.ask(`GET ${query}`)
    const second = await house.ask(`GET ${query}&page=${String(first.body['next_page'])}`)
    const days = [first, second].map((answer) => dataOf(answer).map((row) => row['day']))
    expect(days).toEqual([['2026-11-02'], ['2026-12-01']])
    expect([first.body['has_more'], second.body['has_more']]).toEqual([true, false])
  })

  it('of a tenant that used nothing, or of nobody, is an empty list', async () => {
    expect(await ask('&tenant=nobody')).toEqual([])
  })

  it.each([
    ['from=2026-11-31', 'from'],
    ['from=2026-12-01&to=2026-11-01', 'from'],
    ['to=tomorrow', 'to'],
    ['group_by=tenant', 'group_by'],
    ['group_by=day;drop', 'group_by'],
    ['tenants=acme', 'tenants'],
    ['group_by=day&page=WyJhIl0', 'page'],
  ])('asked for by ?%s is refused, and told why', async (query, name) => {
    const answer = await house.ask(`GET /usage?${query}`)
    expect(answer.status).toBe(400)
    expect(JSON.stringify(answer.body['error'])).toContain(`"message":"${name}: `)
  })
})
