// What an operator writes on a key holds on the data plane: from where it may be used, and for how long.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type AdminHouse, openAdminHouse } from '../../support/admin-house.ts'

let house: AdminHouse
let tenant: string

beforeAll(() => {
  house = openAdminHouse({ SLUICE_KEY_CACHE_MS: '0' })
})
afterAll(() => house.close())
beforeEach(async () => {
  const { body } = await house.ask('POST /tenants', {
    body: { name: 'a', tier: 'free', settings: { origins: ['https://a.test'] } },
  })
  tenant = String(body['id'])
})

const create = async (body: object = {}) => {
  const answer = await house.ask(`POST /tenants/${tenant}/keys`, { body })
  return { id: String(answer.body['id']), key: String(answer.body['key']) }
}

/** `GET /v1/usage` needs a good key and nothing else. */
async function reasonFor(key: string, address: string | null, headers = {}): Promise<string> {
  const request = new Request('http://sluice.test/v1/usage', {
    headers: { 'x-api-key': key, ...headers },
  })
  const response = await house.gateway.fetch(request, address)
  await response.text()
  return response.status === 200
    ? 'let in'
    : `${response.status} ${response.headers.get('sluice-reason')}`
}

describe('a key', () => {
  it('with addresses is good from these alone, whatever a header says', async () => {
    const { key } = await create({ ips: ['10.1.0.0/16', '2001:db8::/32'] })
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::5']) {
      expect(await reasonFor(key, address)).toBe('let in')
    }
    const lie = { 'cf-connecting-ip': '10.1.2.3', 'x-forwarded-for': '10.1.2.3' }
    for (const address of ['10.2.0.1', '2001:db9::5', '127.0.0.1', null]) {
      expect(await reasonFor(key, address, lie)).toBe('403 ip_not_allowed')
    }
  })

  it('without addresses is good from everywhere', async () => {
    const { key } = await create()
    for (const address of ['10.2.0.1', null]) expect(await reasonFor(key, address)).toBe('let in')
  })

  it('that is not known is not told from where it would be', async () => {
    const { key } = await create({ ips: ['10.1.0.0/16'] })
    const { key: other } = await create()
    const stranger = `${key.slice(0, 15)}${other.slice(15)}`
    expect(await reasonFor(stranger, '10.2.0.1')).toMatch(/^401/)
  })

  it('is held to its own origins, or to those of its tenant', async () => {
    const { key, id } = await create()
    expect(await reasonFor(key, null, { origin: 'https://a.test' })).toBe('let in')
    await house.ask(`PATCH /keys/${id}`, { body: { origins: ['https://b.test'] } })
    expect(await reasonFor(key, null, { origin: 'https://a.test' })).toBe('403 origin_not_allowed')
    expect(await reasonFor(key, null, { origin: 'https://b.test' })).toBe('let in')
  })

  it('works beside its successor for the grace, and no longer', async () => {
    const { key, id } = await create()
    const rotate = async (graceSeconds: number) => {
      const body = { grace_seconds: graceSeconds }
      return String((await house.ask(`POST /keys/${id}/rotate`, { body })).body['key'])
    }
    const second = await rotate(60)
    expect([await reasonFor(key, null), await reasonFor(second, null)]).toEqual([
      'let in',
      'let in',
    ])
    const third = await rotate(0)
    expect(await reasonFor(key, null)).toBe('401 key_unknown')
    expect(await reasonFor(second, null)).toBe('401 key_expired')
    expect(await reasonFor(third, null)).toBe('let in')
  })

  it.each<[string, (id: string) => Promise<unknown>, string]>([
    [
      'is disabled',
      (id) => house.ask(`PATCH /keys/${id}`, { body: { disabled: true } }),
      '401 key_revoked',
    ],
    [
      'has expired',
      (id) => house.ask(`PATCH /keys/${id}`, { body: { expires_at: '2020-01-01T00:00:00Z' } }),
      '401 key_expired',
    ],
    ['is deleted', (id) => house.ask(`DELETE /keys/${id}`), '401 key_revoked'],
    [
      'has a disabled tenant',
      () => house.ask(`PATCH /tenants/${tenant}`, { body: { disabled: true } }),
      '403 tenant_disabled',
    ],
    ['has no tenant any more', () => house.ask(`DELETE /tenants/${tenant}`), '401 key_unknown'],
  ])('that %s is refused', async (_, change, reason) => {
    const { key, id } = await create()
    expect(await reasonFor(key, null)).toBe('let in')
    await change(id)
    expect(await reasonFor(key, null)).toBe(reason)
  })
})
