// One owner's webhooks, as an object: a shell around their host. Its alarm does the sending, and is always set before
// something is sent, so that what a crash leaves behind is found.
import { DurableObject } from 'cloudflare:workers'
import { d1Sessions } from '../src/adapters/cloudflare/sql-session.ts'
import { fetchWebhookSender } from '../src/adapters/cloudflare/webhook-sender.ts'
import { readStoredOwner, sqlWebhookJournal } from '../src/adapters/sql/webhook-rows.ts'
import { createOwnerFinder } from '../src/adapters/webhooks/find-owner.ts'
import { WebhookHost } from '../src/adapters/webhooks/webhook-host.ts'
import { WEBHOOK_SCHEMA, WebhookStore } from '../src/adapters/webhooks/webhook-store.ts'
import { parseConfig } from '../src/config.ts'
import type { Delivery } from '../src/core/webhooks/delivery.ts'
import type { WebhookEvent } from '../src/core/webhooks/event.ts'
import { peppersOf } from '../src/flows/hash-key.ts'
import { nameWebhook } from '../src/flows/webhooks/sign-webhook.ts'
import { createWebhookSecrets } from '../src/flows/webhooks/webhook-secrets.ts'
import { migrate, type Migration } from './migrate.ts'

/** Append-only: see migrate.ts. */
export const WEBHOOK_MIGRATIONS: readonly Migration[] = [
  { id: 'webhooks_001', sql: WEBHOOK_SCHEMA },
]

/** What a try may take beyond its time before it is thought lost. */
const MARGIN_MS = 5_000

export class TenantWebhooks extends DurableObject<Env> {
  #opened: { readonly owner: string; readonly host: WebhookHost } | null = null

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    migrate(ctx.storage, WEBHOOK_MIGRATIONS)
  }

  /** Kept when it returns. */
  async tell(event: WebhookEvent): Promise<void> {
    const host = this.#host(event.owner)
    await host.tell(event)
    this.#wake(host)
  }

  /** How far the news of one event is; null: nobody is told. */
  async standing(owner: string, key: string): Promise<Delivery | null> {
    return this.#host(owner).find(await nameWebhook(owner, key))
  }

  redeliver(owner: string, id: string): boolean {
    const host = this.#host(owner)
    const found = host.redeliver(id)
    this.#wake(host)
    return found
  }

  override async alarm(): Promise<void> {
    const owner = this.#opened?.owner ?? this.#storedOwner()
    if (owner === null) return
    const host = this.#host(owner)
    const { timeoutMs } = parseConfig(this.env).webhooks
    // Whatever happens to this run, there is another one.
    await this.ctx.storage.setAlarm(Date.now() + timeoutMs + MARGIN_MS)
    await host.run()
    const next = host.nextWakeAt()
    if (next === null) await this.ctx.storage.deleteAlarm()
    else await this.ctx.storage.setAlarm(Math.max(next, Date.now()))
  }

  #wake(host: WebhookHost): void {
    const next = host.nextWakeAt()
    // A run that is under way looks for itself, and sets the alarm at its end.
    if (next === null || host.isRunning) return
    // Not awaited: the output gate holds the answer until it is set.
    void this.ctx.storage.setAlarm(next)
  }

  /** The name of an object is not told to it everywhere: whoever calls says whose it is. */
  #host(owner: string): WebhookHost {
    this.#opened ??= { owner, host: this.#open(owner) }
    if (this.#opened.owner !== owner) throw new RangeError('This object is of another owner')
    return this.#opened.host
  }

  #storedOwner(): string | null {
    const [row] = this.ctx.storage.sql
      .exec<{ owner: string }>('SELECT owner FROM webhook_queue LIMIT 1')
      .toArray()
    return row?.owner ?? null
  }

  #open(owner: string): WebhookHost {
    const { webhooks, keys } = parseConfig(this.env)
    const now = (): number => Date.now()
    const { sql } = this.ctx.storage
    const open = d1Sessions(this.env.DB)
    return new WebhookHost({
      store: new WebhookStore(
        { all: (query, ...values) => sql.exec(query, ...values).toArray() },
        owner,
      ),
      journal: sqlWebhookJournal(open, now),
      findOwner: createOwnerFinder(owner, {
        secrets: createWebhookSecrets(peppersOf(keys)),
        now,
        cacheMs: keys.cacheMs,
        read: readStoredOwner(open, webhooks.operatorUrl),
      }),
      send: fetchWebhookSender((url, init) => fetch(url, init)),
      settings: webhooks,
      now,
      random: () => Math.random(),
      onFailed: (event, error) => console.error(JSON.stringify({ event, error: String(error) })),
    })
  }
}
