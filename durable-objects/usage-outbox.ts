// Usage on its way to D1. Records are counted once by id, summed, and handed to D1 in numbered flushes. A row carries the number of its flush from the start, so a reader who asks D1 which flushes
// it holds never counts a row twice and never misses one.
import type { UsageRecord } from '../src/core/money/usage-record.ts'
import { sumUsage, type UsageTotals } from '../src/core/money/usage-totals.ts'
import type { Migration, SchemaStorage } from './migrate.ts'

/** To be listed among the migrations of each object that has an outbox. */
export const USAGE_OUTBOX_MIGRATION: Migration = {
  id: 'usage_outbox_001',
  sql: `
    CREATE TABLE usage_scope (
      id INTEGER PRIMARY KEY CHECK (id = 1), scope TEXT NOT NULL, flush INTEGER NOT NULL
    );
    CREATE TABLE usage_counted (
      hour INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (hour, id)
    ) WITHOUT ROWID;
    CREATE TABLE usage_outbox (
      flush INTEGER NOT NULL, tenant TEXT NOT NULL, day TEXT NOT NULL, model TEXT NOT NULL,
      key TEXT NOT NULL, user TEXT NOT NULL, requests INTEGER NOT NULL,
      inputTokens INTEGER NOT NULL, outputTokens INTEGER NOT NULL,
      cacheWriteTokens INTEGER NOT NULL, cacheReadTokens INTEGER NOT NULL,
      costNanoUsd INTEGER NOT NULL, savedNanoUsd INTEGER NOT NULL,
      PRIMARY KEY (flush, tenant, day, model, key, user)
    ) WITHOUT ROWID;`,
}

// A settlement is retried for seconds; its id is remembered for two to three hours.
const HOUR_MS = 3_600_000
const HOURS_REMEMBERED = 2
// One flush is one statement's parameter to D1, whose bound is 2 MB.
const FLUSH_ROWS = 500

export interface Flush {
  readonly id: string
  readonly number: number
  readonly rows: readonly UsageTotals[]
}

/** A row that D1 holds exactly if it holds the flush. */
export interface PendingRow extends UsageTotals {
  readonly flush: string
}

const COLUMNS = `tenant, day, model, key, user, requests, inputTokens, outputTokens, cacheWriteTokens,
  cacheReadTokens, costNanoUsd, savedNanoUsd`

const ADD_ROWS = `
  INSERT INTO usage_outbox (flush, ${COLUMNS})
  SELECT ?, ${COLUMNS.split(',')
    .map((column) => `value->>'${column.trim()}'`)
    .join(', ')}
  FROM json_each(?) WHERE true
  ON CONFLICT DO UPDATE SET requests = requests + excluded.requests,
    inputTokens = inputTokens + excluded.inputTokens,
    outputTokens = outputTokens + excluded.outputTokens,
    cacheWriteTokens = cacheWriteTokens + excluded.cacheWriteTokens,
    cacheReadTokens = cacheReadTokens + excluded.cacheReadTokens,
    costNanoUsd = costNanoUsd + excluded.costNanoUsd,
    savedNanoUsd = savedNanoUsd + excluded.savedNanoUsd`

// A type, not an interface: SqlStorage asks for an index signature.
type Row = { [Column in keyof UsageTotals]: UsageTotals[Column] }

export class UsageOutbox {
  readonly #storage: SchemaStorage
  readonly #now: () => number
  readonly #scope: string
  #flush: number

  constructor(storage: SchemaStorage, now: () => number) {
    this.#storage = storage
    this.#now = now
    const { sql } = storage
    // A random scope: flush numbers of an object that was wiped and made again must not look delivered.
    sql.exec('INSERT OR IGNORE INTO usage_scope VALUES (1, ?, 1)', crypto.randomUUID())
    const { scope, flush } = sql
      .exec<{ scope: string; flush: number }>('SELECT scope, flush FROM usage_scope')
      .one()
    this.#scope = scope
    this.#flush = flush
  }

  /** Adds records, each once by its id. To be called within a transaction, so that nothing is torn. */
  add(records: ReadonlyMap<string, UsageRecord>): void {
    const { sql } = this.#storage
    const hour = this.#hour()
    const known = this.#findCounted([...records.keys()])
    const fresh = [...records].filter(([id]) => !known.has(id))
    if (fresh.length === 0) return
    sql.exec(
      'INSERT INTO usage_counted (hour, id) SELECT ?, value FROM json_each(?)',
      hour,
      JSON.stringify(fresh.map(([id]) => id)),
    )
    sql.exec('DELETE FROM usage_counted WHERE hour < ?', hour - HOURS_REMEMBERED)
    this.#addRows(sumUsage(fresh.map(([, record]) => record)))
  }

  hasCounted(id: string): boolean {
    return this.#findCounted([id]).has(id)
  }

  #hour(): number {
    return Math.floor(this.#now() / HOUR_MS)
  }

  #findCounted(ids: readonly string[]): Set<string> {
    // Listed, not a range: each id is then looked up in each hour, and no hour is read through.
    const hours = Array.from({ length: HOURS_REMEMBERED + 1 }, (_, ago) => this.#hour() - ago)
    const counted = this.#storage.sql.exec<{ id: string }>(
      `SELECT id FROM usage_counted WHERE hour IN (SELECT value FROM json_each(?))
         AND id IN (SELECT value FROM json_each(?))`,
      JSON.stringify(hours),
      JSON.stringify(ids),
    )
    return new Set(counted.toArray().map(({ id }) => id))
  }

  #addRows(rows: readonly UsageTotals[]): void {
    this.#storage.sql.exec(ADD_ROWS, this.#flush, JSON.stringify(rows))
    // A flush that is full takes no more: what comes next belongs to the following one.
    if (this.#countRows(this.#flush) >= FLUSH_ROWS) this.#beginFlush()
  }

  #countRows(flush: number): number {
    const counted = this.#storage.sql.exec<{ rows: number }>(
      'SELECT count(*) AS rows FROM usage_outbox WHERE flush = ?',
      flush,
    )
    return counted.one().rows
  }

  #beginFlush(): void {
    this.#flush++
    this.#storage.sql.exec('UPDATE usage_scope SET flush = ?', this.#flush)
  }

  isEmpty(): boolean {
    return this.#storage.sql.exec('SELECT 1 FROM usage_outbox LIMIT 1').toArray().length === 0
  }

  /** Closes the flush that is filling, and tells its number: nothing is added to it any more. */
  seal(): number {
    const sealed = this.#flush
    this.#beginFlush()
    return sealed
  }

  /** The oldest sealed flush: it says the same each time until it is dropped. Null: nothing to hand over. */
  oldestFlush(): Flush | null {
    const { sql } = this.#storage
    const [oldest] = sql
      .exec<{ flush: number }>('SELECT flush FROM usage_outbox ORDER BY flush LIMIT 1')
      .toArray()
    if (oldest === undefined || oldest.flush >= this.#flush) return null
    const rows = sql.exec<Row>(`SELECT ${COLUMNS} FROM usage_outbox WHERE flush = ?`, oldest.flush)
    return { id: this.#flushId(oldest.flush), number: oldest.flush, rows: rows.toArray() }
  }

  dropFlush(number: number): void {
    this.#storage.sql.exec('DELETE FROM usage_outbox WHERE flush = ?', number)
  }

  /** What of one tenant's usage may not be in D1 yet. */
  findPending(tenant: string): PendingRow[] {
    const rows = this.#storage.sql.exec<Row & { flush: number }>(
      'SELECT * FROM usage_outbox WHERE tenant = ?',
      tenant,
    )
    return rows.toArray().map((row) => ({ ...row, flush: this.#flushId(row.flush) }))
  }

  #flushId(number: number): string {
    return `${this.#scope}:${number}`
  }
}
