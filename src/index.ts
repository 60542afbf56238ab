// The Cloudflare doorway: reads the settings and builds the services once for the isolate, then offers the
// Worker and its objects to the platform.
import { env } from 'cloudflare:workers'
import { createApp } from './app.ts'
import { anthropicUpstream } from './adapters/anthropic/upstream.ts'
import { sqlAccountStore } from './adapters/sql/account-store.ts'
import { cloudflareAccountGates } from './adapters/cloudflare/account-gates.ts'
import { cloudflareGateOperations } from './adapters/cloudflare/gate-operations.ts'
import { openConnection } from './adapters/cloudflare/open-connection.ts'
import { cloudflareAddress } from './adapters/cloudflare/address.ts'
import { consumeJobs } from './adapters/cloudflare/consume-jobs.ts'
import { cloudflareJobs } from './adapters/cloudflare/jobs.ts'
import { cloudflareColoAnswers } from './adapters/cloudflare/colo-answers.ts'
import { d1KeyStore } from './adapters/cloudflare/key-store.ts'
import { d1Sessions } from './adapters/cloudflare/sql-session.ts'
import { cloudflareLedgers } from './adapters/cloudflare/ledgers.ts'
import { d1UsageReader } from './adapters/cloudflare/usage-reader.ts'
import { cloudflareWebhooks } from './adapters/cloudflare/webhooks.ts'
import { sqlAdminStore } from './adapters/sql/admin-store.ts'
import { sqlOwnedObjects } from './adapters/sql/owned-objects.ts'
import { upstashStores } from './adapters/upstash/stores.ts'
import { logToConsole } from './adapters/console-log.ts'
import { parseConfig } from './config.ts'
import { openAccountDirectory } from './flows/account-directory.ts'
import { createJobRunner } from './flows/jobs/run-job.ts'
import type { Services } from './ports.ts'

export { AccountGate } from '../durable-objects/account-gate.ts'
export { TenantJobs } from '../durable-objects/tenant-jobs.ts'
export { TenantLedger } from '../durable-objects/tenant-ledger.ts'
export { TenantWebhooks } from '../durable-objects/tenant-webhooks.ts'

const config = parseConfig(env)
const { ACCOUNT_GATE, TENANT_LEDGER, TENANT_WEBHOOKS, TENANT_JOBS, DB } = env as Env

const gates = cloudflareAccountGates(ACCOUNT_GATE)
const ledgers = cloudflareLedgers(TENANT_LEDGER, { log: logToConsole })
const accounts = openAccountDirectory(config, {
  store: sqlAccountStore(d1Sessions(DB)),
  now: Date.now,
  log: logToConsole,
})

const jobs = cloudflareJobs({ namespace: TENANT_JOBS, db: DB, log: logToConsole })

const services: Services = {
  config,
  accounts,
  keys: d1KeyStore(DB),
  gates,
  ledgers,
  jobs,
  jobRuns: jobs,
  jobBatches: jobs,
  jobDesk: jobs,
  operations: cloudflareGateOperations(ACCOUNT_GATE),
  ...upstashStores({ config, now: Date.now, log: logToConsole, endsWithRequest: true }),
  usage: d1UsageReader(DB, (tenant) => {
    void ledgers.flush(tenant).catch(() => {})
    return TENANT_LEDGER.getByName(tenant)
  }),
  colo: cloudflareColoAnswers(caches),
  admin: sqlAdminStore(d1Sessions(DB)),
  webhooks: cloudflareWebhooks(TENANT_WEBHOOKS),
  owned: sqlOwnedObjects(d1Sessions(DB)),
  upstream: anthropicUpstream({ openConnection }),
  // Pumped by the runtime: JavaScript wakes for a chunk once, not again when it has been sent.
  openPipe: () => new IdentityTransformStream(),
  addressOf: cloudflareAddress,
  now: Date.now,
  random: Math.random,
  log: logToConsole,
}

const app = createApp(services)
const run = createJobRunner(services)

export default {
  fetch: (request, bindings, context) => app.fetch(request, bindings, context),
  queue: (batch) => consumeJobs(batch, { run, log: logToConsole }),
} satisfies ExportedHandler<Env>
