// The admin plane on a runtime's own SQLite, and where a caller's address comes from there.
import { expect, test } from 'vitest'
import { send } from '../support/raw-http.ts'
import type { Running } from './running.ts'

export function describeAdmin(running: Running): void {
  const ask = async (route: string, body: object = {}) => {
    const [method = '', path = ''] = route.split(' ')
    const answer = await send(running.gateway.url, {
      method,
      path: `/admin/v1${path}`,
      headers: [
        ['authorization', `Bearer ${running.world.settings['ADMIN_TOKEN']}`],
        ['content-type', 'application/json'],
      ],
      ...(method === 'GET' ? {} : { body: JSON.stringify(body) }),
    })
    return JSON.parse(answer.body.toString()) as Readonly<Record<string, unknown>>
  }

  test('an operator makes a tenant and keys, and a key holds to the address of the socket', async () => {
    const { id: tenant } = await ask('POST /tenants', { name: 'Made here', tier: 'enterprise' })
    const { key: near } = await ask(`POST /tenants/${String(tenant)}/keys`, {
      ips: ['127.0.0.0/8'],
    })
    const far = await ask(`POST /tenants/${String(tenant)}/keys`, { ips: ['192.0.2.0/24'] })
    expect((await running.ask({ key: String(near) })).status).toBe(200)
    const answer = await running.ask({
      key: String(far['key']),
      headers: [
        ['cf-connecting-ip', '192.0.2.1'],
        ['x-forwarded-for', '192.0.2.1'],
      ],
    })
    expect([answer.status, answer.headers['sluice-reason']]).toEqual([403, 'ip_not_allowed'])
    const { data } = await ask(`GET /events?tenant=${String(tenant)}`)
    expect((data as { action: string }[]).map(({ action }) => action)).toEqual([
      'key.create',
      'key.create',
      'tenant.create',
    ])
  })
  test('a stream ends where the budget of its tenant does, and the next call is refused', async () => {
    const { id: tenant } = await ask('POST /tenants', {
      name: 'With little money',
      tier: 'enterprise',
      overrides: { budget_usd_per_day: 0.002 },
    })
    const { key } = await ask(`POST /tenants/${String(tenant)}/keys`)
    const call = { key: String(key), prompt: '[sim:tokens=2000][sim:gap=4][sim:deltas=1000]' }
    const fields = { stream: true, max_tokens: 2_000 }
    const cut = await running.ask({ ...call, fields })
    expect(cut.body.toString()).toMatch(/event: error\ndata: .*billing_error.*budget_exhausted/)
    const next = await running.ask({ ...call, fields })
    expect([next.status, next.headers['sluice-reason']]).toEqual([402, 'budget_exhausted'])
  })
}
