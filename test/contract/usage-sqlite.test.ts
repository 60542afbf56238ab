// Usage in SQLite: added up, written in groups, and answered only once it is on the disk.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { configure, type SqliteDatabase } from '../../src/adapters/sqlite/database.ts'
import { migrateSqlite, readMigrations } from '../../src/adapters/sqlite/migrate.ts'
import { SqliteUsage } from '../../src/adapters/sqlite/usage-store.ts'
import type { LogLine } from '../../src/ports.ts'
import { usageRecord } from '../support/admission.ts'

const DAY = '2026-11-21'
const MIGRATIONS = readMigrations(join(import.meta.dirname, '../../migrations'))
let dir: string
let db: DatabaseSync

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-usage-'))
  db = openFile()
  migrateSqlite(db, MIGRATIONS)
})
afterEach(() => {
  db.close()
  rmSync(dir, { recursive: true })
})

function openFile(): DatabaseSync {
  const file = new DatabaseSync(join(dir, 'usage.db'))
  configure(file)
  return file
}

/** What another connection sees: what would be left after a crash. */
function requestsOnDisk(): number {
  const other = openFile()
  const row = other.prepare('SELECT coalesce(sum(requests), 0) AS requests FROM usage').get()
  other.close()
  return Number(row?.['requests'])
}

/** Fails the first so many groups. */
function failing(times: number): SqliteDatabase {
  let left = times
  return {
    exec: (sql) => {
      if (sql.startsWith('BEGIN') && left-- > 0) throw new Error('disk is full')
      return db.exec(sql)
    },
    prepare: (sql) => db.prepare(sql),
    close: () => db.close(),
  }
}

test('what is kept is on the disk when the promise resolves, summed by row', async () => {
  const usage = new SqliteUsage(db)
  await Promise.all([
    usage.keep(usageRecord('a')),
    usage.keep(usageRecord('b')),
    usage.keep(usageRecord('c', { user: 'u' })),
  ])
  expect(requestsOnDisk()).toBe(3)
  await usage.keep(usageRecord('d'))
  const rows = await usage.findUsage('t', DAY, DAY)
  expect(rows.map(({ user, requests, inputTokens }) => [user, requests, inputTokens])).toEqual([
    ['', 3, 30],
    ['u', 1, 10],
  ])
  expect(rows[0]).toEqual({
    tenant: 't',
    day: DAY,
    model: 'claude-sonnet-5',
    key: 'k',
    user: '',
    requests: 3,
    inputTokens: 30,
    outputTokens: 60,
    cacheWriteTokens: 0,
    cacheReadTokens: 0,
    costNanoUsd: 660_000,
    savedNanoUsd: 0,
  })
})

test('what has not been written yet is read too, of this tenant and these days only', async () => {
  const usage = new SqliteUsage(db)
  const keeping = [
    usage.keep(usageRecord('a')),
    usage.keep(usageRecord('b', { tenant: 'other' })),
    usage.keep(usageRecord('c', { at: Date.UTC(2026, 10, 22) })),
  ]
  expect(requestsOnDisk()).toBe(0)
  expect(await usage.findUsage('t', DAY, DAY)).toMatchObject([{ tenant: 't', requests: 1 }])
  expect(await usage.findUsage('t', DAY, '2026-11-22')).toHaveLength(2)
  await Promise.all(keeping)
  expect(await usage.findUsage('t', DAY, '2026-11-22')).toHaveLength(2)
})

test('a full group is written at once', () => {
  const usage = new SqliteUsage(db)
  for (let n = 0; n < 256; n++) void usage.keep(usageRecord(`r${n}`))
  expect(requestsOnDisk()).toBe(256)
})

test('a group that could not be written is tried again, and counted once', async () => {
  const lines: LogLine[] = []
  const log = (line: LogLine): void => void lines.push(line)
  const usage = new SqliteUsage(failing(2), { log, retryAfterMs: [1, 1] })
  await usage.keep(usageRecord('a'))
  expect(requestsOnDisk()).toBe(1)
  expect(lines.map(({ given_up: givenUp }) => givenUp)).toEqual([false, false])
})

test('a group that cannot be written is said to be lost, and the next one is kept', async () => {
  const lines: LogLine[] = []
  const log = (line: LogLine): void => void lines.push(line)
  const usage = new SqliteUsage(failing(2), { log, retryAfterMs: [1] })
  await expect(usage.keep(usageRecord('a'))).rejects.toThrow('disk is full')
  expect(lines.at(-1)).toMatchObject({ event: 'usage_write_failed', records: 1, given_up: true })
  await usage.keep(usageRecord('b'))
  expect(requestsOnDisk()).toBe(1)
  expect(await usage.findUsage('t', DAY, DAY)).toMatchObject([{ requests: 1 }])
})

test('the last flush writes what has gathered, also what failed before', async () => {
  const usage = new SqliteUsage(failing(1), { retryAfterMs: [60_000] })
  const full = Array.from({ length: 256 }, (_, n) => usage.keep(usageRecord(`r${n}`)))
  const last = usage.keep(usageRecord('last'))
  expect(requestsOnDisk()).toBe(0)
  usage.flush()
  expect(requestsOnDisk()).toBe(257)
  await Promise.all([...full, last])
})
