// The webhooks of every owner in one SQLite file, for the runtimes without objects: the same host for each, woken by one
// timer.
import type { Sent } from '../../core/webhooks/delivery.ts'
import { jobEndedEvent, jobKey } from '../../core/webhooks/event.ts'
import { nameWebhook } from '../../flows/webhooks/sign-webhook.ts'
import type { WebhookSecrets } from '../../flows/webhooks/webhook-secrets.ts'
import type { LogLine } from '../../ports.ts'
import type { WebhookMessage, Webhooks } from '../../ports/webhooks.ts'
import { readStoredOwner, sqlWebhookJournal } from '../sql/webhook-rows.ts'
import { createOwnerFinder } from '../webhooks/find-owner.ts'
import { WebhookHost, type WebhookHostSettings } from '../webhooks/webhook-host.ts'
import {
  findBusyOwners,
  WEBHOOK_SCHEMA,
  type WebhookSql,
  WebhookStore,
} from '../webhooks/webhook-store.ts'
import type { SqliteDatabase, SqliteStatement } from './database.ts'
import { sqliteSessions } from './sql-session.ts'

export interface SqliteWebhooksOptions {
  readonly settings: WebhookHostSettings & { readonly operatorUrl: string | null }
  readonly secrets: WebhookSecrets
  readonly cacheMs: number
  readonly send: (message: WebhookMessage) => Promise<Sent>
  readonly now: () => number
  readonly random: () => number
  readonly log: (line: LogLine) => void
}

export interface SqliteWebhooks extends Webhooks {
  /** Sends nothing more. What is under way counts as interrupted, and is sent again by the next process. */
  close(): void
}

const MAX_TIMER_MS = 60_000

export function sqliteWebhooks(db: SqliteDatabase, options: SqliteWebhooksOptions): SqliteWebhooks {
  const { settings, secrets, cacheMs, send, now, random, log } = options
  db.exec(WEBHOOK_SCHEMA)
  const sql = sqlOf(db)
  const open = sqliteSessions(db)
  const hosts = new Map<string, WebhookHost>()
  let closed = false
  let timer: ReturnType<typeof setTimeout> | undefined

  const hostOf = (owner: string): WebhookHost => {
    const known = hosts.get(owner)
    if (known !== undefined) return known
    const host = new WebhookHost({
      store: new WebhookStore(sql, owner),
      journal: sqlWebhookJournal(open, now),
      findOwner: createOwnerFinder(owner, {
        secrets,
        now,
        cacheMs,
        read: readStoredOwner(open, settings.operatorUrl),
      }),
      onFailed: (event, error) => log({ event, error: String(error) }),
      send,
      settings,
      now,
      random,
    })
    hosts.set(owner, host)
    return host
  }

  const work = (): void => {
    if (closed) return
    for (const [owner, host] of hosts) {
      const next = host.nextWakeAt()
      if (next === null && !host.isRunning) hosts.delete(owner)
      if (next === null || next > now() || host.isRunning) continue
      host.run().then(wake, (error: unknown) => {
        if (!closed) log({ event: 'webhooks_failed', owner, error: String(error) })
      })
    }
    wake()
  }

  const wake = (): void => {
    clearTimeout(timer)
    if (closed) return
    const moments = [...hosts.values()]
      .filter((host) => !host.isRunning)
      .flatMap((host) => host.nextWakeAt() ?? [])
    if (moments.length === 0) return
    const inMs = Math.max(0, Math.min(...moments) - now())
    timer = setTimeout(work, Math.min(inMs, MAX_TIMER_MS))
  }

  for (const owner of findBusyOwners(sql)) hostOf(owner)
  wake()

  const tell: Webhooks['tell'] = async (event) => {
    await hostOf(event.owner).tell(event)
    wake()
  }
  return {
    tell,
    jobEnded: (job) => tell(jobEndedEvent(job)),
    deliveryOfJob: async (tenant, jobId, round) =>
      hostOf(tenant).find(await nameWebhook(tenant, jobKey(jobId, round))),
    async redeliver(owner, id) {
      const found = hostOf(owner).redeliver(id)
      wake()
      return found
    },
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}

function sqlOf(db: SqliteDatabase): WebhookSql {
  const prepared = new Map<string, SqliteStatement>()
  return {
    all(query, ...values) {
      const statement = prepared.get(query) ?? db.prepare(query)
      prepared.set(query, statement)
      return statement.all(...values)
    },
  }
}
