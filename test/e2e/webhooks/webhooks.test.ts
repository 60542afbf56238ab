// Webhooks of the whole gateway to a receiver on a socket: signed, retried, ended by 410, never redirected, and none lost by
// a kill between two tries.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { type DevProcess, startDev } from '../../support/gateway-process.ts'
import { addTenant } from '../../support/tenants.ts'
import { verifiedBy } from '../../support/webhook-receiver.ts'
import { startWebhookServer, type WebhookServer } from '../../support/webhook-server.ts'

let receiver: WebhookServer
let inner: WebhookServer
let gateway: TestGateway
let settings: Record<string, string>

beforeAll(async () => {
  receiver = await startWebhookServer()
  inner = await startWebhookServer()
  settings = {
    SLUICE_WEBHOOK_ALLOW: receiver.origin,
    SLUICE_OPERATOR_WEBHOOK_URL: `${receiver.origin}/ops`,
    SLUICE_WEBHOOK_SCHEDULE_SECONDS: '1,1',
    SLUICE_WEBHOOK_TIMEOUT_MS: '1000',
    SLUICE_KEY_CACHE_MS: '0',
  }
  gateway = await startTestGateway({ settings })
})
afterAll(async () => {
  await gateway.stop()
  await receiver.close()
  await inner.close()
})

type Shown = Readonly<Record<string, unknown>>

async function admin(route: string, body?: unknown, url = gateway.url): Promise<Shown> {
  const [method = '', path = ''] = route.split(' ')
  const answer = await fetch(`${url}/admin/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${gateway.adminToken}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const shown = (await answer.json()) as Shown
  expect(answer.status, JSON.stringify(shown)).toBe(200)
  return shown
}

const listed = async (query: string, url?: string): Promise<readonly Shown[]> =>
  (await admin(`GET /webhooks?${query}`, undefined, url))['data'] as readonly Shown[]

/** The latest delivery of a type, once it has ended. */
const ended = async (type: string, after: number): Promise<Shown> => {
  const [delivery] = await eventually(
    async () =>
      (await listed(`type=${type}`)).filter(
        (each) => Date.parse(String(each['created_at'])) >= after,
      ),
    ([latest]) => latest !== undefined && latest['state'] !== 'pending',
    { withinMs: 15_000 },
  )
  if (delivery === undefined) throw new Error(`Nobody was told of ${type}`)
  return delivery
}

const statusesOf = (delivery: Shown): unknown[] =>
  (delivery['attempts'] as readonly Shown[]).map(({ status, error }) => [status, error])

describe('the operator', () => {
  it('is told of an account that opens and closes, by the library verified, and sees it listed', async () => {
    const startedAt = Date.now()
    await admin('POST /accounts/default/open')
    const opened = await ended('account.opened', startedAt)
    await admin('POST /accounts/default/close')
    const closed = await ended('account.closed', startedAt)
    const { secret } = await admin('GET /webhook-secret')
    for (const delivery of [opened, closed]) {
      const [seen, ...more] = receiver.seen.filter(({ id }) => id === delivery['id'])
      expect(more).toEqual([])
      expect(verifiedBy(seen!, [String(secret)])).toEqual([secret])
      expect(JSON.parse(seen!.body)).toMatchObject({
        type: delivery['type'],
        data: { account: 'default', model_class: null },
      })
    }
  })

  it('is told again after failures, a redirect and a silence; nothing is followed', async () => {
    const startedAt = Date.now()
    let tries = 0
    receiver.answer((response) => {
      tries += 1
      if (tries === 1) return void response.writeHead(302, { location: inner.origin }).end()
      // Never an answer: its time is over after a second.
      if (tries === 2) return
      response.writeHead(200).end('a body that nobody reads')
    })
    await admin('POST /accounts/default/open')
    const delivery = await ended('account.opened', startedAt)
    expect(delivery['state']).toBe('succeeded')
    expect(statusesOf(delivery)).toEqual([
      [302, 'redirect'],
      [null, 'timeout'],
      [200, null],
    ])
    const own = receiver.seen.filter(({ id }) => id === delivery['id'])
    expect(own).toHaveLength(3)
    expect(new Set(own.map(({ body }) => body)).size).toBe(1)
    expect(inner.connections()).toBe(0)
    await admin('POST /accounts/default/close')
    await ended('account.closed', startedAt)
  })

  it('that answers 410 is told nothing more, until a delivery is made again by hand', async () => {
    const startedAt = Date.now()
    receiver.answer((response) => void response.writeHead(410).end())
    await admin('POST /accounts/default/open')
    const gone = await ended('account.opened', startedAt)
    expect([gone['state'], statusesOf(gone)]).toEqual(['disabled', [[410, 'status']]])
    const before = receiver.seen.length
    await admin('POST /accounts/default/close')
    const silent = await ended('account.closed', startedAt)
    expect([silent['state'], silent['attempts']]).toEqual(['disabled', []])
    expect(receiver.seen).toHaveLength(before)

    receiver.answer((response) => void response.writeHead(204).end())
    await admin(`POST /webhooks/${String(gone['id'])}/redeliver`)
    const again = await eventually(
      async () => (await listed('type=account.opened')).find(({ id }) => id === gone['id']),
      (delivery) => delivery?.['state'] === 'succeeded',
      { withinMs: 10_000 },
    )
    expect(statusesOf(again!)).toEqual([
      [410, 'status'],
      [204, null],
    ])
  })
})

describe('a tenant', () => {
  it('is told of its budget with its own secret, and so is the operator', async () => {
    const { tenant, key } = await addTenant(gateway.dir, {
      overrides: { budget_usd_per_day: 0.000_001 },
      settings: { webhook_endpoint: `${receiver.origin}/tenant` },
    })
    const answer = await fetch(`${gateway.url}/v1/messages`, {
      method: 'POST',
      headers: {
        'x-api-key': key,
        'content-type': 'application/json',
        'anthropic-version': '2023-06-01',
      },
      body: JSON.stringify({
        model: 'claude-haiku-4-5',
        max_tokens: 64,
        messages: [{ role: 'user', content: 'hello' }],
      }),
    })
    expect(answer.status, await answer.text()).toBe(200)
    const own = await eventually(
      () => listed(`tenant=${tenant}&state=succeeded`),
      (deliveries) => deliveries.length >= 3,
      { withinMs: 10_000 },
    )
    const { secret } = await admin(`GET /tenants/${tenant}/webhook-secret`)
    const seen = receiver.seen.filter(({ url }) => url === '/tenant')
    expect(seen).toHaveLength(own.length)
    expect(new Set(seen.map(({ id }) => id))).toEqual(new Set(own.map(({ id }) => id)))
    const told = seen.map(({ body }) => (JSON.parse(body) as { data: Shown }).data)
    expect(new Set(told.map(({ percent }) => percent))).toEqual(new Set([75, 95, 100]))
    for (const each of seen) expect(verifiedBy(each, [String(secret)])).toEqual([secret])
    const operators = await listed('tenant=$operator&type=budget.threshold')
    expect(operators).toHaveLength(3)
  })

  it('may name no inner address', async () => {
    for (const host of ['127.0.0.1', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]', 'localhost']) {
      const port = new URL(inner.origin).port
      for (const endpoint of [`http://${host}:${port}/`, `https://${host}:${port}/`]) {
        const answer = await fetch(`${gateway.url}/admin/v1/tenants/free`, {
          method: 'PATCH',
          headers: {
            authorization: `Bearer ${gateway.adminToken}`,
            'content-type': 'application/json',
          },
          body: JSON.stringify({ settings: { webhook_endpoint: endpoint } }),
        })
        expect([answer.status, answer.headers.get('sluice-reason')]).toEqual([
          400,
          'webhook_url_refused',
        ])
      }
    }
    expect(inner.connections()).toBe(0)
  })
})

it('a gateway that is killed between two tries makes the next one when it is back', async () => {
  receiver.answer((response) => void response.writeHead(503).end())
  const startedAt = Date.now()
  const before = receiver.seen.length
  await admin('POST /accounts/default/open')
  await eventually(
    () => receiver.seen.length,
    (seen) => seen > before,
    { withinMs: 10_000 },
  )
  for (const pid of gateway.pids.toReversed()) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It went with another.
    }
  }
  receiver.answer((response) => void response.writeHead(200).end())
  const again: DevProcess = await startDev({
    dir: gateway.dir,
    env: {
      ANTHROPIC_BASE_URL: gateway.simulatorUrl,
      UPSTASH_REDIS_REST_URL: gateway.redisUrl,
      UPSTASH_REDIS_REST_TOKEN: gateway.redisToken,
      ...settings,
    },
  })
  try {
    const id = receiver.seen[before]?.id
    // Nobody asks anything of it: its alarm is all there is.
    await eventually(
      () => receiver.seen.slice(before).filter((each) => each.id === id).length,
      (tries) => tries >= 2,
      { withinMs: 20_000 },
    )
    const deliveries = await eventually(
      () => listed('type=account.opened', again.ready.url),
      (all) => all.find((each) => each['id'] === id)?.['state'] === 'succeeded',
      { withinMs: 10_000 },
    )
    const own = deliveries.filter(
      (each) => Date.parse(String(each['created_at'])) >= startedAt && each['id'] === id,
    )
    expect(own).toHaveLength(1)
    expect(own[0]?.['state']).toBe('succeeded')
  } finally {
    await again.stop()
  }
})
