// The ledgers of every tenant in one SQLite file, for the runtimes without objects: the same shell around the same
// core. What the ledgers of all tenants changed within a moment is one transaction.
import type { LogLine, Ledgers, LedgerUnavailable, UsageReader } from '../../ports.ts'
import { GroupWriter } from '../ledger/group-writer.ts'
import { LedgerHost, type LedgerHostOptions } from '../ledger/ledger-host.ts'
import { LEDGER_SCHEMA, type LedgerSql, SqlLedgerStore } from '../ledger/ledger-store.ts'
import { type SqliteDatabase, type SqliteStatement, transact } from './database.ts'
import { SqliteUsage } from './usage-store.ts'

export interface SqliteLedgersOptions {
  readonly now: () => number
  readonly log?: (line: LogLine) => void
  readonly onPassed?: LedgerHostOptions['onPassed']
}

export interface SqliteLedgers extends Ledgers, UsageReader {
  /** Writes what has gathered, and ends the timers: for the end of the process. */
  close(): void
}

// Calls whose process died are found when their tenant is next asked, and by looking at all now and then.
const SWEEP_MS = 30_000
// Idle ledgers are read again when they are needed.
const MOST_HELD = 1_000

const unavailable: LedgerUnavailable = { kind: 'unavailable' }

export function sqliteLedgers(db: SqliteDatabase, options: SqliteLedgersOptions): SqliteLedgers {
  const { now, log = () => {}, onPassed } = options
  db.exec(LEDGER_SCHEMA)
  const usage = new SqliteUsage(db, now)
  const sql = sqlOf(db)
  const hosts = new Map<string, LedgerHost>()
  const writer = new GroupWriter({
    now,
    save: () => {
      const changed = [...hosts.values()].filter((host) => host.hasUnsaved)
      if (changed.length === 0) return
      transact(db, () => changed.forEach((host) => host.save()))
      for (const host of changed) host.saved()
    },
    onFailed: (error) => log({ event: 'ledger_write_failed', error: String(error) }),
  })
  const hostOf = (tenant: string): LedgerHost => {
    const known = hosts.get(tenant)
    if (known !== undefined) return known
    for (const [other, { isIdle }] of hosts) {
      if (hosts.size < MOST_HELD) break
      if (isIdle) hosts.delete(other)
    }
    const host = new LedgerHost({
      store: new SqlLedgerStore(sql, usage, tenant),
      now,
      writer,
      log,
      ...(onPassed === undefined ? {} : { onPassed }),
    })
    hosts.set(tenant, host)
    return host
  }
  const sweep = (): void => {
    try {
      sweepAll()
    } catch (error) {
      log({ event: 'ledger_sweep_failed', error: String(error) })
    }
  }
  const sweepAll = (): void => {
    for (const row of sql.all('SELECT DISTINCT tenant FROM ledger_leases') as {
      tenant: string
    }[]) {
      hostOf(row.tenant).advance()
    }
  }
  const sweeping = setInterval(sweep, SWEEP_MS)
  /** A file that cannot be read or written is a ledger that cannot be reached. */
  const ask = async <T>(tenant: string, question: (host: LedgerHost) => T) => {
    try {
      return question(hostOf(tenant))
    } catch (error) {
      log({ event: 'ledger_unavailable', tenant, error: String(error) })
      return unavailable
    }
  }
  return {
    reserve: (asked) => ask(asked.tenant, (host) => host.reserve(asked)),
    renew: (renewal) => ask(renewal.ask.tenant, (host) => host.renew(renewal)),
    settle: async (tenant, settlement) => hostOf(tenant).settle([settlement]),
    report: async (tenant, limits) => hostOf(tenant).report(limits),
    findUsage: async (span) => {
      hostOf(span.tenant).advance()
      writer.write()
      return usage.findRows(span)
    },
    close: () => {
      clearInterval(sweeping)
      writer.write()
      writer.stop()
    },
  }
}

/** Queries are few and fixed: each is prepared once. */
function sqlOf(db: SqliteDatabase): LedgerSql {
  const prepared = new Map<string, SqliteStatement>()
  return {
    all: (query, ...values) => {
      const statement = prepared.get(query) ?? db.prepare(query)
      prepared.set(query, statement)
      return statement.all(...values)
    },
  }
}
