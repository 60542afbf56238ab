// One tenant's ledger, as an object: a shell around the core, its store and the outbox of what it billed. It is woken
// when a call may have been lost, and when usage is due in D1. Bodies never come here.
import { DurableObject } from 'cloudflare:workers'
import { cloudflareWebhooks } from '../src/adapters/cloudflare/webhooks.ts'
import { createBudgetNews } from '../src/adapters/webhooks/budget-news.ts'
import { GroupWriter } from '../src/adapters/ledger/group-writer.ts'
import { LedgerHost } from '../src/adapters/ledger/ledger-host.ts'
import { LEDGER_SCHEMA, SqlLedgerStore } from '../src/adapters/ledger/ledger-store.ts'
import type {
  LedgerAsk,
  LedgerLimits,
  LedgerRenewal,
  LedgerReport,
  LedgerSettlement,
  Renewed,
  Reservation,
} from '../src/core/money/ledger/words.ts'
import { AlarmClock } from './alarm-clock.ts'
import { migrate, type Migration } from './migrate.ts'
import { type PendingRow, USAGE_OUTBOX_MIGRATION, UsageOutbox } from './usage-outbox.ts'
import { rollUp } from './usage-rollup.ts'

/** Append-only: see migrate.ts. */
export const LEDGER_MIGRATIONS: readonly Migration[] = [
  { id: 'ledger_001', sql: LEDGER_SCHEMA },
  USAGE_OUTBOX_MIGRATION,
]

// Usage reaches D1 this long after it was kept, in one transaction for all of it; a failed try waits longer.
const ROLL_UP_MS = 10_000
const ROLL_UP_RETRY_MS = 30_000
// An object holds one tenant's ledger; the store can hold many.
const OWN = ''

export class TenantLedger extends DurableObject<Env> {
  readonly #outbox: UsageOutbox
  readonly #host: LedgerHost
  readonly #clock: AlarmClock
  readonly #writer: GroupWriter

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    const { storage } = ctx
    migrate(storage, LEDGER_MIGRATIONS)
    this.#outbox = new UsageOutbox(storage, () => Date.now())
    this.#clock = new AlarmClock(storage, () => {
      this.#host.advance()
      this.#wake()
    })
    this.#writer = new GroupWriter({
      save: () => this.#save(),
      now: () => Date.now(),
      onFailed: (error) => tell('ledger_write_failed', error),
    })
    const sql = {
      all: (query: string, ...values: readonly (string | number)[]) =>
        storage.sql.exec(query, ...values).toArray(),
    }
    this.#host = new LedgerHost({
      store: new SqlLedgerStore(sql, this.#outbox, OWN),
      now: () => Date.now(),
      writer: this.#writer,
      log: (line) => console.warn(JSON.stringify(line)),
      onPassed: createBudgetNews({
        webhooks: cloudflareWebhooks(env.TENANT_WEBHOOKS),
        now: () => Date.now(),
        defer: (work) => ctx.waitUntil(work),
      }),
    })
    this.#wake()
  }

  reserve(ask: LedgerAsk): Reservation {
    return this.#host.reserve(ask)
  }

  renew(renewal: LedgerRenewal): Renewed {
    return this.#host.renew(renewal)
  }

  /** Resolves once it is on the disk. */
  settle(settlements: readonly LedgerSettlement[]): Promise<void> {
    return this.#host.settle(settlements)
  }

  report(limits: LedgerLimits): LedgerReport {
    return this.#host.report(limits)
  }

  /** What D1 may not have yet. */
  pendingUsage(tenant: string): PendingRow[] {
    this.#host.advance()
    this.#writer.write()
    return this.#outbox.findPending(tenant)
  }

  override async alarm(): Promise<void> {
    this.#clock.rang()
    this.#host.advance()
    this.#writer.write()
    await this.#rollUp()
    this.#wake()
  }

  #save(): void {
    this.ctx.storage.transactionSync(() => this.#host.save())
    this.#host.saved()
    this.#wake()
  }

  #wake(): void {
    const now = Date.now()
    const at = this.#host.nextWakeAt()
    this.#clock.wakeAt(at === null ? null : Math.max(at, now), now)
    if (!this.#outbox.isEmpty()) this.#clock.alarmAt(now + ROLL_UP_MS)
  }

  async #rollUp(): Promise<void> {
    if (this.#outbox.isEmpty()) return
    this.#outbox.seal()
    try {
      for (;;) {
        const flush = this.#outbox.oldestFlush()
        if (flush === null) return
        await rollUp(this.env.DB, flush, Date.now())
        this.#outbox.dropFlush(flush.number)
      }
    } catch (error) {
      // D1 is down or refuses: the rows stay, the flush keeps its id, and a later alarm tries again.
      tell('usage_roll_up_failed', error)
      this.#clock.alarmAt(Date.now() + ROLL_UP_RETRY_MS)
    }
  }
}

const tell = (event: string, error: unknown): void =>
  console.error(JSON.stringify({ event, error: String(error) }))
