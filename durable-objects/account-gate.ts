// One upstream account's gate, as an object: it asks the core, keeps what must last, and wakes when the core
// says so. Every decision is synchronous, so nothing interleaves; waiting is a promise. Bodies never come here.
import { DurableObject } from 'cloudflare:workers'
import { parseConfig } from '../src/config.ts'
import type {
  Admission,
  AdmissionAsk,
  Lease,
  Renewal,
  SharedReading,
} from '../src/core/admission/admission.ts'
import type { Moment } from '../src/core/admission/breaker.ts'
import { isUsable } from '../src/core/admission/door.ts'
import { countInUse, type Gate, type Resolution } from '../src/core/admission/gate-state.ts'
import { observe } from '../src/core/admission/observe.ts'
import {
  admit,
  advance,
  cancel,
  nextWakeAt,
  renew,
  settle,
  type SettleEvent,
} from '../src/core/admission/gate.ts'
import { closeByHand, openByHand, resetByHand } from '../src/core/admission/operate.ts'
import {
  snapshotGate,
  type GateSnapshot,
  type SnapshotContext,
} from '../src/core/admission/snapshot.ts'
import type { NumberedEntry } from '../src/core/admission/timeline.ts'
import { placeOf, type WaitPlace } from '../src/core/admission/wait-queue.ts'
import { cloudflareWebhooks } from '../src/adapters/cloudflare/webhooks.ts'
import { AlarmClock } from './alarm-clock.ts'
import { DoorNews } from './door-news.ts'
import { GateStore } from './gate-store.ts'
import { WaitingRoom } from './waiting-room.ts'

export class AccountGate extends DurableObject<Env> {
  readonly #store: GateStore
  #gate: Gate
  readonly #room = new WaitingRoom()
  readonly #clock: AlarmClock
  /** Null: nobody is told. */
  readonly #news: DoorNews | null

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    const { gate, webhooks } = parseConfig(env)
    this.#store = new GateStore(ctx.storage)
    this.#gate = this.#store.load(gate)
    this.#clock = new AlarmClock(ctx.storage, () => this.#decide(advance))
    const account = ctx.id.name
    this.#news =
      webhooks.operatorUrl === null || account === undefined
        ? null
        : new DoorNews({
            storage: ctx.storage,
            account,
            webhooks: cloudflareWebhooks(env.TENANT_WEBHOOKS),
            now: () => Date.now(),
          })
    if (this.#news?.hasNews() === true) this.#tellNews()
  }

  admit(ask: AdmissionAsk): Admission | Promise<Admission> {
    const resolved = admit(this.#gate, ask, moment())
    this.#keep()
    return this.#room.answer(ask.ticket, resolved)
  }

  cancel(ticket: string): void {
    this.#decide((gate, at) => cancel(gate, ticket, at))
  }

  /** The lease as it now stands, or null where the call has ended. */
  renew(renewal: Renewal): Lease | null {
    const [lease, resolved] = renew(this.#gate, renewal, moment())
    this.#keep()
    this.#room.call(resolved)
    return lease
  }

  settle(ends: readonly SettleEvent[]): void {
    this.#decide((gate, at) => ends.flatMap((end) => settle(gate, end, at)))
  }

  /** What an answer to another account of the same organization told. */
  observe(reading: SharedReading): void {
    this.#decide((gate, at) => observe(gate, reading, at))
  }

  /** Where a call stands that waits; null: it does not. */
  placeOf(ticket: string): WaitPlace | null {
    return placeOf(this.#gate.queue, ticket)
  }

  /** Whether the doors of the account let some call in, full or not. */
  isUsable(): boolean {
    this.#decide(advance)
    return isUsable(this.#gate, Date.now())
  }

  snapshot(about: SnapshotContext): GateSnapshot {
    this.#decide(advance)
    return snapshotGate(this.#gate, about, Date.now())
  }

  /** The newest entries, or those before a number of one; oldest first. */
  timeline(length: number, before?: number): NumberedEntry[] {
    return this.#store.readTimeline(length, before)
  }

  open(): void {
    this.#decide(openByHand)
  }

  close(): void {
    this.#decide(closeByHand)
  }

  reset(): void {
    this.#decide(resetByHand)
  }

  /** Forgets the account, since it was removed; false: it still has calls. */
  retire(): boolean {
    this.#decide(advance)
    if (countInUse(this.#gate) > 0 || this.#gate.queue.byTicket.size > 0) return false
    this.#store.clear()
    this.#gate = this.#store.load(this.#gate.settings)
    return true
  }

  override alarm(): void {
    this.#clock.rang()
    this.#decide(advance)
    if (this.#news?.hasNews() === true) this.#tellNews()
  }

  #decide(event: (gate: Gate, at: Moment) => Resolution[]): void {
    const resolved = event(this.#gate, moment())
    this.#keep()
    this.#room.call(resolved)
  }

  #keep(): void {
    const hasNews = this.#gate.unsaved.transitions.length > 0
    this.#store.save(this.#gate)
    if (hasNews) this.#tellNews()
    const now = Date.now()
    this.#clock.wakeAt(nextWakeAt(this.#gate, now), now)
  }

  #tellNews(): void {
    if (this.#news === null) return
    this.#clock.alarmAt(Date.now() + TELL_AGAIN_MS)
    this.ctx.waitUntil(
      this.#news
        .tell()
        .catch((error: unknown) =>
          console.error(JSON.stringify({ event: 'door_news_failed', error: String(error) })),
        ),
    )
  }
}

/** Whatever happens to the telling, it is looked at again then. */
const TELL_AGAIN_MS = 30_000

const moment = (): Moment => ({ now: Date.now(), random: Math.random() })
