// Where a ledger outlives its process, in SQLite: an object's own, or a file with the ledgers of every tenant. What one
// group of events changed is written in one transaction, the usage of the calls that ended included.
import {
  type LedgerRecord,
  type StoredLedger,
  toRecord,
} from '../../core/money/ledger/ledger-record.ts'
import type { Ledger, LedgerLease, TokenUse } from '../../core/money/ledger/ledger-state.ts'
import type { UsageRecord } from '../../core/money/usage-record.ts'

export interface LedgerStore {
  load(): StoredLedger
  /** What is unsaved; to be called within a transaction. Throws when it could not be written. */
  save(ledger: Ledger): void
  /** Whether a call of this id was billed before. */
  hasCounted(id: string): boolean
}

/** The one thing that a store needs of a database. Values are text and numbers. */
export interface LedgerSql {
  all(query: string, ...values: readonly (string | number)[]): readonly unknown[]
}

/** Where the usage of ended calls goes, within the ledger's transaction. */
export interface UsageSink {
  /** A record whose id was added before changes nothing. */
  add(records: ReadonlyMap<string, UsageRecord>): void
  hasCounted(id: string): boolean
}

export const LEDGER_SCHEMA = `
  CREATE TABLE IF NOT EXISTS ledgers (
    tenant TEXT NOT NULL PRIMARY KEY, record TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS ledger_leases (
    tenant TEXT NOT NULL, id TEXT NOT NULL, lease TEXT NOT NULL, PRIMARY KEY (tenant, id)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS ledger_tokens (
    tenant TEXT NOT NULL, id TEXT NOT NULL, requests INTEGER NOT NULL, nanoUsd INTEGER NOT NULL,
    expiresAt INTEGER NOT NULL, PRIMARY KEY (tenant, id)
  ) WITHOUT ROWID;`

type Row = Readonly<Record<string, unknown>>

export class SqlLedgerStore implements LedgerStore {
  readonly #sql: LedgerSql
  readonly #sink: UsageSink
  readonly #tenant: string

  constructor(sql: LedgerSql, sink: UsageSink, tenant: string) {
    this.#sql = sql
    this.#sink = sink
    this.#tenant = tenant
  }

  load(): StoredLedger {
    const rows = (query: string) => this.#sql.all(query, this.#tenant) as readonly Row[]
    const [stored] = rows('SELECT record FROM ledgers WHERE tenant = ?')
    const leases = rows('SELECT lease FROM ledger_leases WHERE tenant = ?')
    const tokens = rows(
      'SELECT id, requests, nanoUsd, expiresAt FROM ledger_tokens WHERE tenant = ?',
    )
    return {
      record: stored === undefined ? null : (parse(stored['record']) as LedgerRecord),
      leases: leases.map(({ lease }) => parse(lease) as LedgerLease),
      tokens: tokens.map((row) => [String(row['id']), tokenOf(row)] as const),
    }
  }

  hasCounted(id: string): boolean {
    return this.#sink.hasCounted(id)
  }

  save(ledger: Ledger): void {
    const { unsaved, leases, tokens } = ledger
    const changed = [...unsaved.leases].map((id) => ({ id, lease: leases.get(id) }))
    this.#replace(
      'ledger_leases (tenant, id, lease)',
      `?, value->>'id', value->>'lease'`,
      changed.flatMap(({ id, lease }) => {
        return lease === undefined ? [] : [{ id, lease: JSON.stringify(lease) }]
      }),
    )
    this.#remove(
      'ledger_leases',
      changed.flatMap(({ id, lease }) => (lease === undefined ? [id] : [])),
    )
    const uses = [...unsaved.tokens].map((id) => ({ id, use: tokens.get(id) }))
    this.#replace(
      'ledger_tokens (tenant, id, requests, nanoUsd, expiresAt)',
      `?, value->>'id', value->>'requests', value->>'nanoUsd', value->>'expiresAt'`,
      uses.flatMap(({ id, use }) => (use === undefined ? [] : [{ id, ...use }])),
    )
    this.#remove(
      'ledger_tokens',
      uses.flatMap(({ id, use }) => (use === undefined ? [id] : [])),
    )
    if (unsaved.usage.size > 0) this.#sink.add(unsaved.usage)
    if (unsaved.record) {
      const record = JSON.stringify(toRecord(ledger))
      this.#sql.all('INSERT OR REPLACE INTO ledgers VALUES (?, ?)', this.#tenant, record)
    }
  }

  #replace(into: string, columns: string, rows: readonly unknown[]): void {
    if (rows.length === 0) return
    const query = `INSERT OR REPLACE INTO ${into} SELECT ${columns} FROM json_each(?)`
    this.#sql.all(query, this.#tenant, JSON.stringify(rows))
  }

  #remove(from: string, ids: readonly string[]): void {
    if (ids.length === 0) return
    this.#sql.all(
      `DELETE FROM ${from} WHERE tenant = ? AND id IN (SELECT value FROM json_each(?))`,
      this.#tenant,
      JSON.stringify(ids),
    )
  }
}

/** Our own writing. */
const parse = (json: unknown): unknown => JSON.parse(String(json))

const tokenOf = (row: Row): TokenUse => ({
  requests: Number(row['requests']),
  nanoUsd: Number(row['nanoUsd']),
  expiresAt: Number(row['expiresAt']),
})
