// Keys as an operator manages them, and requests that come twice.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readApiKey } from '../../../src/core/keys/api-key.ts'
import { createKeyHasher } from '../../../src/flows/hash-key.ts'
import {
  type AdminAnswer,
  type AdminHouse,
  dataOf,
  openAdminHouse,
  PEPPER,
} from '../../support/admin-house.ts'

let house: AdminHouse
let tenant: string

beforeAll(() => {
  house = openAdminHouse()
})
afterAll(() => house.close())
beforeEach(async () => {
  const { body } = await house.ask('POST /tenants', { body: { name: 'Acme', tier: 'free' } })
  tenant = String(body['id'])
})

const create = async (body: object = {}) => {
  const answer = await house.ask(`POST /tenants/${tenant}/keys`, { body })
  expect(answer.status, JSON.stringify(answer.body)).toBe(201)
  return { ...answer.body, id: String(answer.body['id']), key: String(answer.body['key']) }
}

const messageOf = (answer: AdminAnswer): string =>
  (answer.body['error'] as { readonly message: string }).message

const storedHashOf = (id: string) =>
  house.db.prepare('SELECT secret_hash, previous_hash FROM keys WHERE id = ?').get(id)

describe('a key', () => {
  it('is shown once, whole, and then never again', async () => {
    const { key, ...shown } = await create({ name: 'web' })
    expect(shown).toEqual({
      id: shown.id,
      tenant,
      name: 'web',
      created_at: expect.stringMatching(/Z$/),
      last_used_at: null,
      expires_at: null,
      models: null,
      origins: null,
      ips: null,
      disabled: false,
    })
    expect(readApiKey(key)).toMatchObject({ kind: 'key', key: { id: shown.id } })
    expect(dataOf(await house.ask(`GET /tenants/${tenant}/keys`))).toEqual([shown])
    expect(storedHashOf(shown.id)?.['secret_hash']).toBe(await createKeyHasher(PEPPER)(key))
    const everything = await everyRow()
    expect(everything).toContain(shown.id)
    expect(everything).not.toContain(key.slice(15, 47))
  })

  it('may be made without a body', async () => {
    expect((await house.ask(`POST /tenants/${tenant}/keys`)).status).toBe(201)
  })

  it('has its bounds changed one by one, and null takes one away', async () => {
    const { id } = await create({
      expires_at: '2027-01-01T01:00:00+01:00',
      models: ['claude-haiku-*'],
      origins: ['https://a.test', 'http://localhost:5173', 'chrome-extension://abc'],
      ips: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1'],
    })
    const answer = await house.ask(`PATCH /keys/${id}`, {
      body: { models: null, ips: ['::1'], disabled: true },
    })
    expect(answer.body).toMatchObject({
      expires_at: '2027-01-01T00:00:00.000Z',
      models: null,
      origins: ['https://a.test', 'http://localhost:5173', 'chrome-extension://abc'],
      ips: ['::1'],
      disabled: true,
    })
    expect(answer.body).not.toHaveProperty('key')
  })

  it.each<[object, RegExp]>([
    [{ expires_at: '2027-01-01' }, /^expires_at: expected a time as/],
    [{ expires_at: 1_800_000_000_000 }, /^expires_at: /],
    [{ expires_at: '2027-02-29T00:00:00Z' }, /^expires_at: /],
    [{ models: [] }, /^models: expected a list of 1 to 100 entries/],
    [{ models: ['a b'] }, /^models\[0\]: /],
    [{ ips: ['10.0.0.0/33'] }, /^ips\[0\]: expected an IP address or a range/],
    [{ ips: ['10.0.0.256'] }, /^ips\[0\]: /],
    [{ ips: '10.0.0.1' }, /^ips: expected a list/],
    [{ origins: ['null'] }, /^origins\[0\]: /],
    [{ tenant: 'other' }, /^tenant: there is no such field/],
    [{ key: 'slk_x' }, /^key: there is no such field/],
  ])('that is written as %j is refused, and told why', async (body, message) => {
    const { id } = await create()
    for (const route of [`POST /tenants/${tenant}/keys`, `PATCH /keys/${id}`]) {
      const answer = await house.ask(route, { body })
      expect(answer.status).toBe(400)
      expect(messageOf(answer)).toMatch(message)
    }
  })

  it('keeps its id and its bounds when it is rotated, with a new secret', async () => {
    const { key, ...shown } = await create({ models: ['claude-haiku-*'] })
    const answer = await house.ask(`POST /keys/${shown.id}/rotate`, { body: { grace_seconds: 60 } })
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ ...shown, key: expect.stringMatching(/^slk_/) })
    expect(answer.body['key']).not.toBe(key)
    const hash = createKeyHasher(PEPPER)
    expect(storedHashOf(shown.id)).toEqual({
      secret_hash: await hash(String(answer.body['key'])),
      previous_hash: await hash(key),
    })
    // Whoever changes the pepper looks for keys whose hash is older than that.
    const row = house.db.prepare('SELECT created_at, rehashed_at FROM keys WHERE id = ?')
    const { created_at: createdAt, rehashed_at: rehashedAt } = row.get(shown.id) ?? {}
    expect(rehashedAt).toBeGreaterThanOrEqual(Number(createdAt))
  })

  it.each([{ grace_seconds: -1 }, { grace_seconds: 1e9 }, { grace_seconds: null }, { grace: 1 }])(
    'is not rotated by %j',
    async (body) => {
      const { id } = await create()
      expect((await house.ask(`POST /keys/${id}/rotate`, { body })).status).toBe(400)
      expect(storedHashOf(id)?.['previous_hash']).toBeNull()
    },
  )

  it('is gone once deleted', async () => {
    const { id } = await create()
    expect((await house.ask(`DELETE /keys/${id}`)).body).toEqual({ id, deleted: true })
    for (const route of [`DELETE /keys/${id}`, `PATCH /keys/${id}`, `POST /keys/${id}/rotate`]) {
      expect((await house.ask(route, { body: {} })).status).toBe(404)
    }
    expect(dataOf(await house.ask(`GET /tenants/${tenant}/keys`))).toEqual([])
  })
})

describe('a POST with an idempotency-key', () => {
  const post = (route: string, key: string, body: unknown): Promise<AdminAnswer> =>
    house.ask(`POST ${route}`, { body, headers: { 'idempotency-key': key } })
  let last = 0
  const newName = () => `once-${++last}`

  it('makes one tenant though it comes twenty times at once, and each gets the same answer', async () => {
    const count = async () => dataOf(await house.ask('GET /tenants?limit=1000')).length
    const before = await count()
    const name = newName()
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post('/tenants', name, { name: 'One', tier: 'free' })),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1)
    const replayed = answers.filter(({ headers }) => headers.has('sluice-idempotent-replay'))
    expect(replayed).toHaveLength(19)
    expect(await count()).toBe(before + 1)
  })

  it('gives the secret again to one who lost it, and keeps it from one who reads the database', async () => {
    const name = newName()
    const first = await post(`/tenants/${tenant}/keys`, name, {})
    const again = await post(`/tenants/${tenant}/keys`, name, {})
    expect(again.body).toEqual(first.body)
    const secret = String(first.body['key']).slice(15, 47)
    const rows = await everyRow()
    expect(rows).not.toContain(secret)
    expect(rows).not.toContain(Buffer.from(secret).toString('base64').slice(0, 20))
    expect(rows).not.toContain(name)
  })

  it('rotates once', async () => {
    const { id } = await create()
    const name = newName()
    const route = `/keys/${id}/rotate`
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => post(route, name, { grace_seconds: 5 })),
    )
    expect(new Set(answers.map(({ body }) => body['key'])).size).toBe(1)
    expect(dataOf(await house.ask(`GET /events?target=${id}&action=key.rotate`))).toHaveLength(1)
  })

  it('with another body, or for another route, is refused and does nothing', async () => {
    const name = newName()
    await post('/tenants', name, { name: 'One', tier: 'free' })
    for (const [route, body] of [
      ['/tenants', { name: 'Two', tier: 'free' }],
      [`/tenants/${tenant}/keys`, { name: 'One', tier: 'free' }],
    ] as const) {
      const answer = await post(route, name, body)
      expect(answer.status).toBe(422)
      expect(answer.headers.get('sluice-reason')).toBe('idempotency_mismatch')
    }
    expect(dataOf(await house.ask(`GET /tenants/${tenant}/keys`))).toEqual([])
  })

  it('that was refused may be sent again, mended', async () => {
    const name = newName()
    expect((await post('/tenants', name, { name: 'One', tier: 'nowhere' })).status).toBe(400)
    expect((await post('/tenants', name, { name: 'One', tier: 'free' })).status).toBe(201)
  })

  it.each(['', 'a b', 'x'.repeat(256)])('of the form %j is refused', async (key) => {
    const answer = await post('/tenants', key, { name: 'One', tier: 'free' })
    expect(answer.status).toBe(400)
    expect(messageOf(answer)).toMatch(/^idempotency-key: /)
  })
})

/** All that lies in the database, as one text. */
async function everyRow(): Promise<string> {
  const tables = house.db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()
  return tables
    .map(({ name }) => JSON.stringify(house.db.prepare(`SELECT * FROM "${String(name)}"`).all()))
    .join('\n')
}
