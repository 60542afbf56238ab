/// <reference types="@cloudflare/vitest-plugin/types" />
// Webhooks as objects: the contract, and that an object which is gone comes back for what it owes.
import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeAll, expect, it, vi } from 'vitest'
import { d1Sessions } from '../../src/adapters/cloudflare/sql-session.ts'
import { cloudflareWebhooks } from '../../src/adapters/cloudflare/webhooks.ts'
import { readStoredOwner } from '../../src/adapters/sql/webhook-rows.ts'
import { createWebhookSecrets } from '../../src/flows/webhooks/webhook-secrets.ts'
import { describeWebhooks, type WebhookRig } from '../contract/webhooks.ts'
import { WebhookReceiver } from '../support/webhook-receiver.ts'
import { migrateWebhooks } from '../support/webhook-tables.ts'

/** As vitest.config.ts sets it. */
const secrets = createWebhookSecrets(['test-key-pepper-of-some-length-here-'])

beforeAll(async () => {
  await migrateWebhooks(env.DB)
  // The first object of all loads the code.
  await env.TENANT_WEBHOOKS.getByName('first').standing('first', 'nothing')
})

const openRig = (): WebhookRig => {
  const receiver = new WebhookReceiver()
  // The objects run in this very isolate.
  vi.stubGlobal('fetch', receiver.fetch)
  return {
    webhooks: cloudflareWebhooks(env.TENANT_WEBHOOKS),
    receiver,
    async addTenant(id, endpoint) {
      const settings = JSON.stringify({ webhook_endpoint: endpoint })
      await env.DB.prepare(
        'INSERT INTO tenants (id, name, tier, settings, overrides, created_at) VALUES (?, ?, ?, ?, ?, ?)',
      )
        .bind(id, id, 'free', settings, '{}', Date.now())
        .run()
    },
    async rotate(tenant, formerUntil) {
      await env.DB.prepare(
        `INSERT INTO webhook_secrets VALUES (?1, 2, ?2, ?3)
         ON CONFLICT (owner) DO UPDATE SET version = version + 1, former_until = ?3`,
      )
        .bind(tenant, Date.now(), formerUntil)
        .run()
    },
    async secretsOf(tenant) {
      const stored = await readStoredOwner(d1Sessions(env.DB), null)(tenant)
      if (stored === null) return []
      return secrets.of({ id: tenant, createdAt: stored.createdAt }, stored, Date.now())
    },
    listed: (id) =>
      env.DB.prepare('SELECT state, attempts FROM webhook_deliveries WHERE id = ?')
        .bind(id)
        .first(),
    stop: () => void vi.unstubAllGlobals(),
  }
}

describeWebhooks('Cloudflare', openRig)

it('an object that was evicted still has its alarm, and what it owes', async () => {
  const rig = openRig()
  const tenant = `t-${crypto.randomUUID()}`
  const url = 'https://later.example.com/'
  await rig.addTenant(tenant, url)
  rig.receiver.answer(url, (tries) =>
    tries === 0
      ? new Response(null, { status: 503, headers: { 'retry-after': '2' } })
      : new Response(null, { status: 200 }),
  )
  const job = { tenant, id: 'job_1', status: 'failed', endedAt: 1, url: null, shown: {} } as const
  await rig.webhooks.jobEnded(job)
  const standing = (expected: object) => async () =>
    expect(await rig.webhooks.deliveryOfJob(tenant, 'job_1')).toMatchObject(expected)
  await vi.waitFor(standing({ state: 'pending', attemptCount: 1 }), { timeout: 5_000 })
  const stub = env.TENANT_WEBHOOKS.getByName(tenant)
  await vi.waitFor(
    async () => {
      const at = await runInDurableObject(stub, (_, state) => state.storage.getAlarm())
      // That of the next try, and not the one that watches over a run.
      expect(at).toBeLessThan(Date.now() + 2_100)
    },
    { timeout: 2_000 },
  )
  await evictDurableObject(stub)
  await vi.waitFor(() => expect(rig.receiver.at(url)).toHaveLength(2), { timeout: 10_000 })
  await vi.waitFor(standing({ state: 'succeeded', attemptCount: 2 }), { timeout: 10_000 })
  await rig.stop()
})
