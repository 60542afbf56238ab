// The gateway in one process, for the runtimes without Cloudflare's platform: gates in memory, keys and ledgers in
// SQLite, request limits in Redis as everywhere. One process only: two would each grant an account's whole limit.
import { createApp } from '../app.ts'
import { anthropicUpstream } from '../adapters/anthropic/upstream.ts'
import { memoryAccountGates } from '../adapters/memory/account-gates.ts'
import { memoryAnswerStore } from '../adapters/memory/answer-store.ts'
import { openConnection } from '../adapters/node/open-connection.ts'
import { pinnedWebhookSender } from '../adapters/node/webhook-sender.ts'
import { sqlAccountStore } from '../adapters/sql/account-store.ts'
import type { SqliteDatabase } from '../adapters/sqlite/database.ts'
import { sqlAdminStore } from '../adapters/sql/admin-store.ts'
import { sqlOwnedObjects } from '../adapters/sql/owned-objects.ts'
import { sqliteKeyStore } from '../adapters/sqlite/key-store.ts'
import { sqliteSessions } from '../adapters/sqlite/sql-session.ts'
import { upstashStores } from '../adapters/upstash/stores.ts'
import { sqliteJobs } from '../adapters/sqlite/jobs.ts'
import { sqliteLedgers } from '../adapters/sqlite/ledgers.ts'
import { sqliteWebhooks } from '../adapters/sqlite/webhooks.ts'
import { createBudgetNews } from '../adapters/webhooks/budget-news.ts'
import type { Config } from '../config.ts'
import { doorEvent } from '../core/webhooks/event.ts'
import { errorBody, errorHeaders, GatewayError } from '../core/errors.ts'
import { createJobRunner, type JobRunner } from '../flows/jobs/run-job.ts'
import { openAccountDirectory } from '../flows/account-directory.ts'
import { peppersOf } from '../flows/hash-key.ts'
import { createWebhookSecrets } from '../flows/webhooks/webhook-secrets.ts'
import type { LogLine, Services } from '../ports.ts'
import { Deferred } from './deferred.ts'

export interface ProcessGateway {
  /** `address`: the other end of the socket. Headers that name another are not believed. */
  readonly fetch: (request: Request, address: string | null) => Response | Promise<Response>
  /** From now on requests are refused, with the advice to come again: another process may take them. */
  drain(): void
  /** Resolves once no request runs and the work after the answers is done. */
  settled(): Promise<void>
  /** Writes the usage that has gathered, and ends the timers. */
  close(): void
}

export interface ProcessGatewayOptions {
  readonly config: Config
  /** Migrated. */
  readonly db: SqliteDatabase
  readonly log: (line: LogLine) => void
}

export function openGateway({ config, db, log }: ProcessGatewayOptions): ProcessGateway {
  const webhooks = sqliteWebhooks(db, {
    settings: config.webhooks,
    secrets: createWebhookSecrets(peppersOf(config.keys)),
    cacheMs: config.keys.cacheMs,
    send: pinnedWebhookSender(),
    now: Date.now,
    random: Math.random,
    log,
  })
  const deferred = new Deferred((error) => log({ event: 'deferred_failed', error: String(error) }))
  const defer = (work: Promise<unknown>): void => deferred.add(work)
  const ledgers = sqliteLedgers(db, {
    now: Date.now,
    log,
    onPassed: createBudgetNews({ webhooks, now: Date.now, defer }),
  })
  const gates = memoryAccountGates(config.gate, {
    now: Date.now,
    random: Math.random,
    onEntry: (account, entry) => {
      const event = doorEvent(account, entry.seq, entry)
      if (event !== null) defer(webhooks.tell(event))
    },
  })
  const addresses = new WeakMap<Request, string>()
  // Jobs are run by what is made of them below.
  let runJob: JobRunner = () => Promise.resolve()
  const jobs = sqliteJobs(db, { now: Date.now, log, run: (message) => runJob(message) })
  const services: Services = {
    config,
    accounts: openAccountDirectory(config, {
      store: sqlAccountStore(sqliteSessions(db)),
      now: Date.now,
      log,
    }),
    keys: sqliteKeyStore(db),
    gates,
    ledgers,
    jobs,
    jobRuns: jobs,
    jobBatches: jobs,
    jobDesk: jobs,
    operations: gates,
    ...upstashStores({ config, now: Date.now, log }),
    // One process needs no Redis to agree with itself.
    ...(config.redis === null ? { answers: memoryAnswerStore({ now: Date.now }) } : {}),
    usage: ledgers,
    admin: sqlAdminStore(sqliteSessions(db)),
    webhooks,
    owned: sqlOwnedObjects(sqliteSessions(db)),
    upstream: anthropicUpstream({ openConnection }),
    addressOf: (request) => addresses.get(request) ?? null,
    now: Date.now,
    random: Math.random,
    log,
  }
  const app = createApp(services)
  runJob = createJobRunner(services)
  const context = {
    waitUntil: defer,
    passThroughOnException: () => {},
    props: {},
  }
  let draining = false
  return {
    fetch: (request, address) => {
      if (draining) return refuseDraining(request, config.retry.retryAfterMaxMs)
      if (address !== null) addresses.set(request, address)
      const answer = app.fetch(request, {}, context)
      if (answer instanceof Promise) deferred.add(answer)
      return answer
    },
    drain: () => {
      draining = true
      jobs.stop()
    },
    settled: async () => {
      await jobs.settled()
      await deferred.settled()
    },
    close: () => {
      jobs.stop()
      gates.stop()
      webhooks.close()
      ledgers.close()
    },
  }
}

const DRAINING_RETRY_AFTER_MS = 1_000

function refuseDraining(request: Request, retryAfterMaxMs: number): Response {
  // It does still answer, and whoever asks for that alone must not kill it now.
  if (new URL(request.url).pathname === '/health') return Response.json({ status: 'draining' })
  const error = new GatewayError('draining', 'This gateway is stopping', {
    retryAfterMs: DRAINING_RETRY_AFTER_MS,
  })
  const requestId = `req_${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}`
  return new Response(JSON.stringify(errorBody(error, requestId)), {
    status: error.status,
    headers: {
      ...errorHeaders(error, retryAfterMaxMs),
      'request-id': requestId,
      connection: 'close',
    },
  })
}
