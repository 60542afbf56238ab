// Usage in a SQLite file: written by the ledgers within their own transactions, so there is no outbox.
import type { UsageRecord } from '../../core/money/usage-record.ts'
import { sumUsage, type UsageTotals } from '../../core/money/usage-totals.ts'
import type { TenantSpan, UsageRow } from '../../ports.ts'
import { tenantUsageSql } from '../sql/tenant-usage.ts'
import type { UsageSink } from '../ledger/ledger-store.ts'
import type { SqliteDatabase, SqliteStatement } from './database.ts'

const COUNTED_TABLE = `
  CREATE TABLE IF NOT EXISTS usage_counted (
    id TEXT NOT NULL PRIMARY KEY, hour INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS usage_counted_by_hour ON usage_counted (hour)`

const ADD_ROW = `
  INSERT INTO usage (tenant, day, model, key, user, requests, input_tokens, output_tokens,
    cache_write_tokens, cache_read_tokens, cost_nano_usd, saved_nano_usd)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
  ON CONFLICT (tenant, day, model, key, user) DO UPDATE SET
    requests = requests + excluded.requests,
    input_tokens = input_tokens + excluded.input_tokens,
    output_tokens = output_tokens + excluded.output_tokens,
    cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
    cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
    cost_nano_usd = cost_nano_usd + excluded.cost_nano_usd,
    saved_nano_usd = saved_nano_usd + excluded.saved_nano_usd`

const HOUR_MS = 3_600_000
// An end is told again within seconds.
const HOURS_REMEMBERED = 2

export class SqliteUsage implements UsageSink {
  readonly #now: () => number
  readonly #addRow: SqliteStatement
  readonly #db: SqliteDatabase
  readonly #count: SqliteStatement
  readonly #findCounted: SqliteStatement
  readonly #forget: SqliteStatement

  constructor(db: SqliteDatabase, now: () => number) {
    this.#db = db
    this.#now = now
    db.exec(COUNTED_TABLE)
    this.#addRow = db.prepare(ADD_ROW)
    this.#count = db.prepare('INSERT INTO usage_counted (id, hour) VALUES (?1, ?2)')
    this.#findCounted = db.prepare('SELECT 1 FROM usage_counted WHERE id = ?1')
    this.#forget = db.prepare('DELETE FROM usage_counted WHERE hour < ?1')
  }

  /** Within a transaction. */
  add(records: ReadonlyMap<string, UsageRecord>): void {
    const hour = Math.floor(this.#now() / HOUR_MS)
    const fresh = [...records].filter(([id]) => !this.hasCounted(id))
    for (const [id] of fresh) this.#count.all(id, hour)
    for (const row of sumUsage(fresh.map(([, record]) => record)))
      this.#addRow.all(...valuesOf(row))
    this.#forget.all(hour - HOURS_REMEMBERED)
  }

  hasCounted(id: string): boolean {
    return this.#findCounted.all(id).length > 0
  }

  findRows({ tenant, from, to, groupBy }: TenantSpan): readonly UsageRow[] {
    // The columns are the fields of a row by name.
    return this.#db.prepare(tenantUsageSql(groupBy)).all(tenant, from, to) as UsageRow[]
  }
}

const valuesOf = (row: UsageTotals) =>
  [
    row.tenant,
    row.day,
    row.model,
    row.key,
    row.user,
    row.requests,
    row.inputTokens,
    row.outputTokens,
    row.cacheWriteTokens,
    row.cacheReadTokens,
    row.costNanoUsd,
    row.savedNanoUsd,
  ] as const
