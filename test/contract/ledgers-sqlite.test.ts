// Ledgers in a SQLite file: what was acknowledged is there after a crash, and nothing is there twice.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { configure, type SqliteDatabase } from '../../src/adapters/sqlite/database.ts'
import { type SqliteLedgers, sqliteLedgers } from '../../src/adapters/sqlite/ledgers.ts'
import { migrateSqlite, readMigrations } from '../../src/adapters/sqlite/migrate.ts'
import { GROUP_FIELDS } from '../../src/core/money/usage-report.ts'
import type { LogLine } from '../../src/ports.ts'
import { billOf, ledgerAsk, limits, MINUTE_MS, NOON, unlimited } from '../support/ledger.ts'
import { describeLedgers } from './ledgers.ts'

const DAY = '2026-11-21'
const SPAN = { tenant: 'tenant', from: DAY, to: DAY, groupBy: GROUP_FIELDS }
const MIGRATIONS = readMigrations(join(import.meta.dirname, '../../migrations'))
let dir: string
const opened: { stop(): void }[] = []

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-ledgers-'))
})
afterEach(() => {
  for (const each of opened.splice(0)) each.stop()
  rmSync(dir, { recursive: true })
})

function openFile(name = 'ledgers.db'): DatabaseSync {
  const db = new DatabaseSync(join(dir, name))
  configure(db)
  migrateSqlite(db, MIGRATIONS)
  return db
}

interface Opened {
  readonly ledgers: SqliteLedgers
  /** As a crash ends it: nothing more is written. */
  stop(): void
}

function openLedgers(db: SqliteDatabase, now: () => number, log?: (line: LogLine) => void): Opened {
  const ledgers = sqliteLedgers(db, { now, ...(log === undefined ? {} : { log }) })
  const it = {
    ledgers,
    stop: () => {
      try {
        db.close()
        ledgers.close()
      } catch {
        // It has ended before.
      }
    },
  }
  opened.push(it)
  return it
}

describeLedgers('SQLite', () => {
  const under = openLedgers(openFile(`${crypto.randomUUID()}.db`), Date.now)
  return { ledgers: under.ledgers, usage: under.ledgers, stop: () => under.stop() }
})

test('a bill is on the disk when it is acknowledged, and counted once after a crash', async () => {
  const ask = ledgerAsk('a', { limits: limits({ maxConcurrent: 1 }) })
  const first = openLedgers(openFile(), () => NOON)
  await first.ledgers.reserve(ask)
  await first.ledgers.settle('tenant', { id: 'a', usage: billOf(ask, 90) })
  first.stop()
  const second = openLedgers(openFile(), () => NOON)
  await second.ledgers.settle('tenant', { id: 'a', usage: billOf(ask, 90) })
  expect(await second.ledgers.findUsage(SPAN)).toMatchObject([
    { requests: 1, outputTokens: 90, costNanoUsd: 1_000 },
  ])
  expect(await second.ledgers.report('tenant', unlimited)).toMatchObject({ spentDayNanoUsd: 1_000 })
})

test('a call that runs in a crash holds its slot until its time is over, then it is billed', async () => {
  const ask = ledgerAsk('a', { limits: limits({ maxConcurrent: 1, dayNanoUsd: 20_000 }) })
  const first = openLedgers(openFile(), () => NOON)
  await first.ledgers.reserve(ask)
  first.stop()
  let now = NOON
  const lines: LogLine[] = []
  const second = openLedgers(
    openFile(),
    () => now,
    (line) => lines.push(line),
  )
  expect(await second.ledgers.reserve({ ...ask, id: 'b' })).toMatchObject({ kind: 'refused' })
  now += MINUTE_MS
  expect(await second.ledgers.reserve({ ...ask, id: 'b' })).toMatchObject({ kind: 'granted' })
  expect(await second.ledgers.findUsage(SPAN)).toMatchObject([{ requests: 1, outputTokens: 1_000 }])
  expect(lines).toEqual([
    {
      event: 'call_lost',
      request_id: 'a',
      tenant: 'tenant',
      model: ask.model,
      estimated_nano_usd: 10_100,
    },
  ])
})

test('a file that cannot be read is a ledger that cannot be reached', async () => {
  const db = openFile()
  const { ledgers } = openLedgers(db, () => NOON)
  db.exec('DROP TABLE ledger_leases')
  const ask = ledgerAsk('a')
  expect(await ledgers.reserve(ask)).toEqual({ kind: 'unavailable' })
  const renewal = { ask, allowanceNanoUsd: null, progress: null }
  expect(await ledgers.renew(renewal)).toEqual({ kind: 'unavailable' })
})

test('what could not be written is not acknowledged, is told, and goes with the next try', async () => {
  const db = openFile()
  let failures = 1
  const lines: LogLine[] = []
  const { ledgers } = openLedgers(
    {
      exec: (sql) => {
        if (sql.startsWith('BEGIN') && failures-- > 0) throw new Error('disk is full')
        return db.exec(sql)
      },
      prepare: (sql) => db.prepare(sql),
      close: () => db.close(),
    },
    () => NOON,
    (line) => lines.push(line),
  )
  const bill = { id: 'a', usage: billOf(ledgerAsk('a'), 90) }
  await expect(ledgers.settle('tenant', bill)).rejects.toThrow('disk is full')
  expect(lines).toMatchObject([{ event: 'ledger_write_failed' }])
  await ledgers.settle('tenant', bill)
  expect(await ledgers.findUsage(SPAN)).toMatchObject([{ requests: 1 }])
})

test('the bills of many tenants within a moment are one transaction', async () => {
  const db = openFile()
  let transactions = 0
  const { ledgers } = openLedgers(
    {
      exec: (sql) => {
        if (sql.startsWith('BEGIN')) transactions += 1
        return db.exec(sql)
      },
      prepare: (sql) => db.prepare(sql),
      close: () => db.close(),
    },
    () => NOON,
  )
  await Promise.all(
    Array.from({ length: 100 }, (_, index) => {
      const ask = ledgerAsk(`c${index}`, { tenant: `t${index}` })
      return ledgers.settle(ask.tenant, { id: ask.id, usage: billOf(ask, 1) })
    }),
  )
  // The first at once, the others with the next group.
  expect(transactions).toBe(2)
})
