// The routes of webhooks: what an operator sees of deliveries, and the secrets that sign them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AdminHouse, openAdminHouse } from '../../support/admin-house.ts'
import { eventually } from '../../support/eventually.ts'
import { verifiedBy } from '../../support/webhook-receiver.ts'
import { startWebhookServer, type WebhookServer } from '../../support/webhook-server.ts'

let house: AdminHouse
let receiver: WebhookServer

beforeAll(async () => {
  receiver = await startWebhookServer()
  house = openAdminHouse({
    SLUICE_WEBHOOK_ALLOW: receiver.origin,
    SLUICE_OPERATOR_WEBHOOK_URL: `${receiver.origin}/ops`,
    SLUICE_WEBHOOK_SCHEDULE_SECONDS: '0',
    SLUICE_KEY_CACHE_MS: '0',
  })
})
afterAll(async () => {
  house.close()
  await receiver.close()
})

type Shown = Readonly<Record<string, unknown>>
const list = async (query = '') => {
  const answer = await house.ask(`GET /webhooks${query}`)
  expect(answer.status, JSON.stringify(answer.body)).toBe(200)
  return answer.body as unknown as { data: Shown[]; has_more: boolean; next_page: string | null }
}
const openAndClose = async (): Promise<void> => {
  await house.ask('POST /accounts/default/open')
  await house.ask('POST /accounts/default/close')
}
const settled = (query: string, length: number) =>
  eventually(
    () => list(query),
    ({ data }) => data.length >= length && data.every(({ state }) => state !== 'pending'),
    { withinMs: 5_000 },
  )

describe('deliveries', () => {
  it('are listed with their tries, the latest first, in pages and by what is asked for', async () => {
    await openAndClose()
    const all = await settled('', 2)
    expect(new Set(all.data.map(({ type }) => type))).toEqual(
      new Set(['account.closed', 'account.opened']),
    )
    expect(all.data).toHaveLength(2)
    const opened = (await list('?type=account.opened')).data
    expect(opened).toEqual([
      {
        id: expect.stringMatching(/^msg_/),
        tenant: null,
        type: 'account.opened',
        url: `${receiver.origin}/ops`,
        state: 'succeeded',
        created_at: expect.stringMatching(/Z$/),
        ended_at: expect.stringMatching(/Z$/),
        next_attempt_at: null,
        attempt_count: 1,
        attempts: [
          {
            at: expect.stringMatching(/Z$/),
            duration_ms: expect.any(Number),
            status: 204,
            error: null,
          },
        ],
      },
    ])
    const [first] = receiver.seen.filter(({ body }) => body.includes('account.opened'))
    expect(JSON.parse(first?.body ?? '')).toMatchObject({
      type: 'account.opened',
      data: {
        account: 'default',
        from: 'closed',
        to: 'manual',
        cause: 'operator',
        model_class: null,
      },
    })
    const page = await list('?limit=1')
    const rest = await list(`?limit=1&page=${page.next_page}`)
    expect([...page.data, ...rest.data].map(({ id }) => id)).toEqual(all.data.map(({ id }) => id))
    expect([page.has_more, rest.has_more]).toEqual([true, false])
    expect((await list('?state=failed')).data).toEqual([])
    expect((await list('?tenant=nobody')).data).toEqual([])
    expect((await list('?tenant=$operator')).data).toHaveLength(2)
  })

  it('are delivered again under their old id, and that is recorded', async () => {
    const [delivery] = (await list('?type=account.closed')).data
    const id = String(delivery?.['id'])
    const before = receiver.seen.length
    const again = await house.ask(`POST /webhooks/${id}/redeliver`)
    expect([again.status, again.body]).toEqual([200, { id, state: 'pending' }])
    await eventually(
      () => receiver.seen.length,
      (length) => length > before,
      { withinMs: 5_000 },
    )
    expect(receiver.seen.at(-1)?.id).toBe(id)
    const events = await house.ask('GET /events?action=webhook.redeliver')
    expect(events.body['data']).toMatchObject([{ target: id, tenant: null }])
  })

  it.each([
    ['POST /webhooks/msg_unknown/redeliver', 404],
    ['GET /webhooks?state=sent', 400],
    ['GET /webhooks?status=failed', 400],
    ['GET /webhooks?page=x', 400],
  ])('%s answers %i', async (route, status) => {
    expect((await house.ask(route)).status).toBe(status)
  })
})

describe('the secret', () => {
  it('of a tenant is shown, rotated with an overlap, and both are recorded without it', async () => {
    await house.ask('POST /tenants', { body: { id: 'acme', name: 'Acme', tier: 'free' } })
    const { body: shown } = await house.ask('GET /tenants/acme/webhook-secret')
    expect(shown).toEqual({
      tenant: 'acme',
      version: 1,
      secret: expect.stringMatching(/^whsec_/),
      also_signing: [],
      former_until: null,
    })
    const rotation = { body: { grace_seconds: 60 }, headers: { 'idempotency-key': 'rotate-1' } }
    const { body: rotated } = await house.ask('POST /tenants/acme/webhook-secret/rotate', rotation)
    expect(rotated).toMatchObject({ version: 2, also_signing: [shown['secret']] })
    expect(rotated['secret']).not.toBe(shown['secret'])
    const replayed = await house.ask('POST /tenants/acme/webhook-secret/rotate', rotation)
    expect(replayed.body).toEqual(rotated)
    expect((await house.ask('GET /tenants/acme/webhook-secret')).body).toEqual(rotated)

    const { body: last } = await house.ask('POST /tenants/acme/webhook-secret/rotate', {
      body: { grace_seconds: 0 },
    })
    expect(last).toMatchObject({ version: 3, also_signing: [], former_until: null })
    const events = await house.ask('GET /events?tenant=acme')
    expect(JSON.stringify(events.body)).not.toContain('whsec_')
    const actions = (events.body['data'] as Shown[]).map(({ action }) => action)
    expect(actions.filter((action) => action === 'webhook_secret.rotate')).toHaveLength(2)
    expect(actions).toContain('webhook_secret.show')
  })

  it('of a tenant that is made anew under an old id is another one', async () => {
    const make = () =>
      house.ask('POST /tenants', { body: { id: 'twice', name: 'x', tier: 'free' } })
    await make()
    const { body: before } = await house.ask('GET /tenants/twice/webhook-secret')
    await house.ask('DELETE /tenants/twice')
    // Another moment than that of the first.
    await new Promise((resolve) => setTimeout(resolve, 2))
    await make()
    const { body: after } = await house.ask('GET /tenants/twice/webhook-secret')
    expect(after['secret']).not.toBe(before['secret'])
  })

  it("of the operator signs the operator's news, both while it is rotated", async () => {
    const { body: former } = await house.ask('GET /webhook-secret')
    expect(former['tenant']).toBeNull()
    const { body: rotated } = await house.ask('POST /webhook-secret/rotate')
    const before = receiver.seen.length
    await openAndClose()
    await eventually(
      () => receiver.seen.length,
      (length) => length >= before + 2,
      { withinMs: 5_000 },
    )
    const both = [String(rotated['secret']), String(former['secret'])]
    expect(verifiedBy(receiver.seen.at(-1)!, both)).toEqual(both)
  })

  it('made by two rotations at once is one of them, and the other is told so', async () => {
    const rotate = () => house.ask('POST /webhook-secret/rotate', { body: {} })
    const answers = await Promise.all([rotate(), rotate(), rotate()])
    const good = answers.filter(({ status }) => status === 200)
    expect(good.length).toBeGreaterThanOrEqual(1)
    for (const { status } of answers) expect([200, 409]).toContain(status)
    const { body } = await house.ask('GET /webhook-secret')
    expect(good.map((answer) => answer.body['secret'])).toContain(body['secret'])
  })

  it('of nobody is not there', async () => {
    expect((await house.ask('GET /tenants/nobody/webhook-secret')).status).toBe(404)
    expect((await house.ask('POST /tenants/nobody/webhook-secret/rotate')).status).toBe(404)
    const body = { grace_seconds: -1 }
    expect((await house.ask('POST /webhook-secret/rotate', { body })).status).toBe(400)
  })
})
