// One owner's deliveries, wherever they live: takes events, sends what is due, tells others how it went. Memory holds only
// which tries are under way in this very process; all else is asked of the store each time, so a restart loses nothing.
import { judgeWebhookAddress } from '../../core/webhooks/address.ts'
import {
  beginAttempt,
  type Delivery,
  disableDelivery,
  dropDelivery,
  endAttempt,
  isGone,
  postpone,
  redeliver,
  type Sent,
} from '../../core/webhooks/delivery.ts'
import type { WebhookEvent } from '../../core/webhooks/event.ts'
import { nameWebhook, signWebhook } from '../../flows/webhooks/sign-webhook.ts'
import type { WebhookMessage } from '../../ports/webhooks.ts'
import { publishChanged, type WebhookJournal } from './publish-changed.ts'
import type { Due, WebhookStore } from './webhook-store.ts'

export interface WebhookHostOptions {
  readonly store: WebhookStore
  readonly journal: WebhookJournal
  /** Null: the owner is gone. Throws where that cannot be asked. */
  readonly findOwner: () => Promise<WebhookOwner | null>
  /** Never throws. */
  readonly send: (message: WebhookMessage) => Promise<Sent>
  readonly settings: WebhookHostSettings
  readonly now: () => number
  readonly random: () => number
  readonly onFailed: (event: string, error: unknown) => void
}

export interface WebhookHostSettings {
  readonly timeoutMs: number
  readonly scheduleSeconds: readonly number[]
  readonly allowedOrigins: readonly string[]
}

export interface WebhookOwner {
  readonly endpoint: string | null
  /** What its webhooks are signed with, now. */
  readonly secrets: readonly string[]
}

/** A Worker may wait for six answers' headers at a time, and one is the database's. */
const MOST_AT_ONCE = 5
/** One receiver that hangs leaves room for the others. */
const MOST_TO_ONE = 3
/** So that one run stays far inside what the platform grants to an alarm, in time and in requests. */
const RUN_MS = 120_000
const RUN_SENDS = 400
const OWNER_RETRY_MS = 30_000
const KEPT_MS = 30 * 24 * 3_600_000
const FOUND_AT_ONCE = 100

export class WebhookHost {
  readonly #options: WebhookHostOptions
  /** By delivery: where to, once that is known. */
  readonly #sending = new Map<string, { work: Promise<void>; url: string | null }>()
  #poke: (() => void) | null = null
  #retryPublishAt: number | null = null

  constructor(options: WebhookHostOptions) {
    this.#options = options
    this.#recover()
  }

  /** Kept when it resolves; false: there is nobody to tell. */
  async tell(event: WebhookEvent): Promise<boolean> {
    const { store, now, findOwner } = this.#options
    const id = await nameWebhook(event.owner, event.key)
    if (store.has(id)) return true
    if (event.url === null) {
      // Where it cannot be asked, it is asked again when it is sent.
      const unknown = { endpoint: '' }
      const owner = await findOwner().catch(() => unknown)
      if (owner === null || owner.endpoint === null) return false
    }
    store.add(id, event, now())
    this.#poke?.()
    return true
  }

  find(id: string): Delivery | null {
    return this.#options.store.find(id)?.delivery ?? null
  }

  redeliver(id: string): boolean {
    const { store, now } = this.#options
    const found = store.find(id)
    if (found === null) return false
    const { delivery } = found
    const url = delivery.url ?? delivery.sentTo
    if (url !== null) store.enable(url)
    store.save(redeliver(delivery, now()), now())
    this.#poke?.()
    return true
  }

  /** When `run` has something to do; it may be over already. */
  nextWakeAt(): number | null {
    const { store, now } = this.#options
    const endedAt = store.oldestEndedAt()
    const moments = [
      store.nextDueAt(),
      store.hasChanged() ? (this.#retryPublishAt ?? now()) : null,
      endedAt === null ? null : endedAt + KEPT_MS,
    ].filter((at) => at !== null)
    return moments.length === 0 ? null : Math.min(...moments)
  }

  get isRunning(): boolean {
    return this.#poke !== null
  }

  /** Sends what is due until nothing is, or it is time for another run. Does nothing where one is under way. */
  async run(): Promise<void> {
    if (this.isRunning) return
    const { now, store } = this.#options
    const until = now() + RUN_MS
    let sends = 0
    store.forgetEnded(now() - KEPT_MS)
    try {
      for (;;) {
        const poked = Promise.withResolvers<void>()
        this.#poke = poked.resolve
        const isOver = now() >= until || sends >= RUN_SENDS
        if (!isOver) sends += this.#startDue()
        await this.#publish()
        if (this.#sending.size > 0) await this.#somethingHappens(poked.promise)
        else if (isOver || !this.#hasWork()) return
      }
    } finally {
      this.#poke = null
    }
  }

  #hasWork(): boolean {
    const { store, now } = this.#options
    const next = store.nextDueAt()
    if (next !== null && next <= now()) return true
    return this.#retryPublishAt === null && store.hasChanged()
  }

  async #somethingHappens(poked: Promise<void>): Promise<void> {
    const { store, now } = this.#options
    // Those under way are due as well: only what comes later is waited for.
    const at = now()
    const next = store.nextDueAt(at + 1)
    let timer: ReturnType<typeof setTimeout> | undefined
    const due = new Promise<void>((resolve) => {
      if (next !== null) timer = setTimeout(resolve, Math.min(next - at, RUN_MS))
    })
    await Promise.race([poked, due, ...[...this.#sending.values()].map(({ work }) => work)])
    clearTimeout(timer)
  }

  /** What a former self began was perhaps sent, and perhaps not. */
  #recover(): void {
    const { store, now } = this.#options
    for (const begun of store.findBegun()) {
      this.#end(begun, { kind: 'failed', error: 'interrupted' }, now())
    }
  }

  #startDue(): number {
    const { store, now } = this.#options
    let started = 0
    for (const due of store.findDue(now(), FOUND_AT_ONCE)) {
      if (this.#sending.size >= MOST_AT_ONCE) break
      const { id, url } = due.delivery
      if (this.#sending.has(id) || this.#countTo(url) >= MOST_TO_ONE) continue
      const work = this.#deliver(due)
        .catch((error: unknown) => {
          this.#options.onFailed('webhook_delivery_failed', error)
          store.save(postpone(due.delivery, now() + OWNER_RETRY_MS), now())
        })
        .finally(() => this.#sending.delete(id))
      this.#sending.set(id, { work, url })
      started += 1
    }
    return started
  }

  #countTo(url: string | null): number {
    let count = 0
    for (const each of this.#sending.values()) if (each.url === url) count += 1
    return count
  }

  async #deliver({ delivery, body }: Due): Promise<void> {
    const { store, now, send, settings, findOwner } = this.#options
    const owner = await findOwner()
    const at = now()
    const url = delivery.url ?? owner?.endpoint ?? null
    if (owner === null || url === null) return store.save(dropDelivery(delivery, at), at)
    if (store.isDisabled(url)) return store.save(disableDelivery(delivery, at), at)
    const begun = beginAttempt(delivery, url, at)
    const judged = judgeWebhookAddress(url, settings.allowedOrigins)
    if (judged.kind === 'refused') {
      return this.#end(begun, { kind: 'failed', error: 'address_refused' }, at)
    }
    store.save(begun, at)
    const sent = await send({
      url,
      isExempt: judged.isExempt,
      headers: signWebhook({ id: delivery.id, at, body }, owner.secrets),
      body,
      timeoutMs: settings.timeoutMs,
    })
    this.#end(begun, sent, now())
  }

  #end(begun: Delivery, sent: Sent, now: number): void {
    const { store, settings, random } = this.#options
    const scheduleMs = settings.scheduleSeconds.map((seconds) => seconds * 1_000)
    store.save(endAttempt(begun, sent, now, { scheduleMs, random: random() }), now)
    if (isGone(sent) && begun.sentTo !== null) store.disable(begun.sentTo, now)
  }

  async #publish(): Promise<void> {
    const { store, journal, now, onFailed } = this.#options
    if (this.#retryPublishAt !== null && now() < this.#retryPublishAt) return
    try {
      await publishChanged(store, journal)
      this.#retryPublishAt = null
    } catch (error) {
      onFailed('webhook_journal_failed', error)
      this.#retryPublishAt = now() + OWNER_RETRY_MS
    }
  }
}
