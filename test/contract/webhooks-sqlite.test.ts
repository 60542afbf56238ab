// Webhooks in a SQLite file: the contract, and what a process that dies leaves behind.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it, onTestFinished } from 'vitest'
import { fetchWebhookSender } from '../../src/adapters/cloudflare/webhook-sender.ts'
import { readStoredOwner } from '../../src/adapters/sql/webhook-rows.ts'
import { configure } from '../../src/adapters/sqlite/database.ts'
import { migrateSqlite, readMigrations } from '../../src/adapters/sqlite/migrate.ts'
import { sqliteSessions } from '../../src/adapters/sqlite/sql-session.ts'
import { sqliteWebhooks } from '../../src/adapters/sqlite/webhooks.ts'
import { WEBHOOK_SCHEMA } from '../../src/adapters/webhooks/webhook-store.ts'
import { OPERATOR } from '../../src/core/webhooks/event.ts'
import { createWebhookSecrets, FIRST_VERSION } from '../../src/flows/webhooks/webhook-secrets.ts'
import { eventually } from '../support/eventually.ts'
import { hang, verifiedBy, WebhookReceiver } from '../support/webhook-receiver.ts'
import { describeWebhooks, RIG_SETTINGS, type WebhookRig } from './webhooks.ts'

const MIGRATIONS = readMigrations(join(import.meta.dirname, '../../migrations'))
const secrets = createWebhookSecrets(['pepper-of-a-test-that-is-long-enough'])

function openDatabase(): DatabaseSync {
  const db = new DatabaseSync(':memory:')
  configure(db)
  migrateSqlite(db, MIGRATIONS)
  return db
}

function openRig(
  db: DatabaseSync,
  settings: Readonly<Record<string, unknown>> = {},
): WebhookRig & { readonly log: unknown[] } {
  const receiver = new WebhookReceiver()
  const log: unknown[] = []
  const webhooks = sqliteWebhooks(db, {
    settings: { ...RIG_SETTINGS, allowedOrigins: [], operatorUrl: null, ...settings },
    secrets,
    cacheMs: 0,
    send: fetchWebhookSender(receiver.fetch),
    now: Date.now,
    random: Math.random,
    log: (line) => void log.push(line),
  })
  return {
    webhooks,
    receiver,
    log,
    async addTenant(id, endpoint) {
      db.prepare(
        'INSERT INTO tenants (id, name, tier, settings, overrides, created_at) VALUES (?, ?, ?, ?, ?, ?)',
      ).run(id, id, 'free', JSON.stringify({ webhook_endpoint: endpoint }), '{}', Date.now())
    },
    async rotate(tenant, formerUntil) {
      db.prepare(
        `INSERT INTO webhook_secrets VALUES (?1, 2, ?2, ?3)
         ON CONFLICT (owner) DO UPDATE SET version = version + 1, former_until = ?3`,
      ).run(tenant, Date.now(), formerUntil)
    },
    async secretsOf(tenant) {
      const stored = await readStoredOwner(sqliteSessions(db), null)(tenant)
      if (stored === null) return []
      return secrets.of({ id: tenant, createdAt: stored.createdAt }, stored, Date.now())
    },
    listed: async (id) =>
      (db.prepare('SELECT state, attempts FROM webhook_deliveries WHERE id = ?').get(id) ??
        null) as Awaited<ReturnType<WebhookRig['listed']>>,
    stop: () => webhooks.close(),
  }
}

describeWebhooks('SQLite', () => openRig(openDatabase()))

const job = {
  tenant: 'acme',
  id: 'job_1',
  status: 'failed',
  endedAt: Date.now(),
  url: null,
  shown: {},
} as const

it('a try that its process did not survive counts, and is made again by the next one', async () => {
  const endpoint = 'https://hooks.example.com/'
  const db = openDatabase()
  const first = openRig(db)
  await first.addTenant('acme', endpoint)
  first.receiver.answer(endpoint, hang)
  await first.webhooks.jobEnded(job)
  await eventually(
    () => first.receiver.seen.length,
    (seen) => seen === 1,
    { withinMs: 5_000 },
  )
  // As a crash leaves it: begun, and nothing said of an end.
  const row = db.prepare('SELECT * FROM webhook_queue').get() as Record<string, string | number>
  const left = openDatabase()
  left.exec(WEBHOOK_SCHEMA)
  const names = Object.keys(row)
  left
    .prepare(`INSERT INTO webhook_queue (${names.join()}) VALUES (${names.map(() => '?').join()})`)
    .run(...Object.values(row))
  const second = openRig(left)
  await second.addTenant('acme', endpoint)
  onTestFinished(() => {
    void first.stop()
    void second.stop()
  })
  const delivery = await eventually(
    () => second.webhooks.deliveryOfJob('acme', 'job_1'),
    (found) => found?.state === 'succeeded',
    { withinMs: 5_000 },
  )
  expect(delivery?.attempts).toMatchObject([
    { status: null, error: 'interrupted' },
    { status: 204, error: null },
  ])
  expect(second.receiver.seen.map(({ id }) => id)).toEqual([first.receiver.seen[0]?.id])
})

it("the operator's news go to the endpoint of the settings, signed with the operator's secret", async () => {
  const db = openDatabase()
  const rig = openRig(db, { operatorUrl: 'https://ops.example.com/' })
  onTestFinished(() => rig.stop())
  await rig.webhooks.tell({
    owner: OPERATOR,
    key: 'door a 1',
    type: 'account.opened',
    at: Date.now(),
    url: null,
    body: '{}',
  })
  await eventually(
    () => rig.receiver.seen.length,
    (seen) => seen === 1,
    { withinMs: 5_000 },
  )
  const [seen] = rig.receiver.seen
  expect(seen?.url).toBe('https://ops.example.com/')
  const own = await secrets.of({ id: OPERATOR, createdAt: 0 }, FIRST_VERSION, Date.now())
  expect(verifiedBy(seen!, own)).toEqual(own)
})
