import { env } from 'cloudflare:workers'
import { beforeAll } from 'vitest'
import { cloudflareLedgers } from '../../src/adapters/cloudflare/ledgers.ts'
import { d1UsageReader } from '../../src/adapters/cloudflare/usage-reader.ts'
import { describeLedgers } from '../contract/ledgers.ts'
import { unlimited } from '../support/ledger.ts'
import { migrateUsage } from '../support/usage-tables.ts'
import { migrateWebhooks } from '../support/webhook-tables.ts'

beforeAll(async () => {
  await migrateUsage(env.DB)
  // Budgets that run out are told.
  await migrateWebhooks(env.DB)
  // The first object's start is no ledger's answer.
  await env.TENANT_LEDGER.getByName('first').report(unlimited)
})

describeLedgers('Cloudflare', () => ({
  ledgers: cloudflareLedgers(env.TENANT_LEDGER, { log: () => {} }),
  usage: d1UsageReader(env.DB, (tenant) => env.TENANT_LEDGER.getByName(tenant)),
  stop: () => {},
}))
