// Usage in a SQLite file: what ends within a moment is written in one transaction, and a settlement is answered
// only once its transaction is on the disk. There is no outbox: the table is in this very process.
import type { UsageRecord } from '../../core/money/usage-record.ts'
import { sumUsage, type UsageTotals } from '../../core/money/usage-totals.ts'
import type { LogLine, UsageReader, UsageRow } from '../../ports.ts'
import { type SqliteDatabase, type SqliteStatement, transact } from './database.ts'

export interface SqliteUsageOptions {
  readonly log?: (line: LogLine) => void
  /** Waits before a group that could not be written is tried again; after the last it is given up. */
  readonly retryAfterMs?: readonly number[]
}

// A write to disk for each call would cost many times what the call does.
const GROUP_MS = 50
const GROUP_LENGTH = 256
const RETRY_AFTER_MS = [100, 1_000, 5_000]

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

const FIND_ROWS = `
  SELECT tenant, day, model, key, user, requests, input_tokens AS inputTokens,
    output_tokens AS outputTokens, cache_write_tokens AS cacheWriteTokens,
    cache_read_tokens AS cacheReadTokens, cost_nano_usd AS costNanoUsd, saved_nano_usd AS savedNanoUsd
  FROM usage WHERE tenant = ?1 AND day BETWEEN ?2 AND ?3 ORDER BY day`

interface Group {
  readonly records: UsageRecord[]
  readonly written: PromiseWithResolvers<void>
  failures: number
}

export class SqliteUsage implements UsageReader {
  readonly #db: SqliteDatabase
  readonly #log: (line: LogLine) => void
  readonly #retryAfterMs: readonly number[]
  readonly #addRow: SqliteStatement
  readonly #findRows: SqliteStatement
  /** With when each is due; the one that is filling is the last. */
  readonly #unwritten = new Map<Group, ReturnType<typeof setTimeout>>()
  #filling: Group | null = null

  constructor(db: SqliteDatabase, options: SqliteUsageOptions = {}) {
    this.#db = db
    this.#log = options.log ?? (() => {})
    this.#retryAfterMs = options.retryAfterMs ?? RETRY_AFTER_MS
    this.#addRow = db.prepare(ADD_ROW)
    this.#findRows = db.prepare(FIND_ROWS)
  }

  /** Resolves once the record is on the disk; rejects when it could not be brought there. */
  keep(record: UsageRecord): Promise<void> {
    const group = this.#filling ?? this.#openGroup()
    group.records.push(record)
    if (group.records.length >= GROUP_LENGTH) this.#write(group)
    return group.written.promise
  }

  async findUsage(tenant: string, fromDay: string, toDay: string): Promise<readonly UsageRow[]> {
    // The columns are the fields of a row by name.
    const written = this.#findRows.all(tenant, fromDay, toDay) as UsageRow[]
    const records = [...this.#unwritten.keys()].flatMap((group) => group.records)
    const fresh = sumUsage(records.filter((record) => record.tenant === tenant))
    return [...written, ...fresh.filter(({ day }) => day >= fromDay && day <= toDay)]
  }

  /** The last try for all that has gathered: for the end of the process. */
  flush(): void {
    for (const group of this.#unwritten.keys()) {
      group.failures = this.#retryAfterMs.length
      this.#write(group)
    }
  }

  #openGroup(): Group {
    const group: Group = { records: [], written: Promise.withResolvers<void>(), failures: 0 }
    this.#filling = group
    this.#writeIn(group, GROUP_MS)
    return group
  }

  #writeIn(group: Group, afterMs: number): void {
    this.#unwritten.set(
      group,
      setTimeout(() => this.#write(group), afterMs),
    )
  }

  #write(group: Group): void {
    clearTimeout(this.#unwritten.get(group))
    if (this.#filling === group) this.#filling = null
    try {
      transact(this.#db, () => {
        for (const row of sumUsage(group.records)) this.#addRow.all(...valuesOf(row))
      })
      this.#unwritten.delete(group)
      group.written.resolve()
    } catch (error) {
      this.#failed(group, error)
    }
  }

  #failed(group: Group, error: unknown): void {
    const afterMs = this.#retryAfterMs[group.failures]
    const givenUp = afterMs === undefined
    const { length: records } = group.records
    this.#log({ event: 'usage_write_failed', records, given_up: givenUp, error: String(error) })
    group.failures += 1
    if (!givenUp) return this.#writeIn(group, afterMs)
    this.#unwritten.delete(group)
    group.written.reject(error)
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
