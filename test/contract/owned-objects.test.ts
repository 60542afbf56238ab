// Owned objects in D1 and in a SQLite file: one statement of SQL, two databases.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll } from 'vitest'
import { d1Sessions } from '../../src/adapters/cloudflare/sql-session.ts'
import { sqlOwnedObjects } from '../../src/adapters/sql/owned-objects.ts'
import { migrateSqlite, readMigrations } from '../../src/adapters/sqlite/migrate.ts'
import { sqliteSessions } from '../../src/adapters/sqlite/sql-session.ts'
import { openD1, type TestD1 } from '../support/d1.ts'
import { describeOwnedObjects } from './owned-objects-suite.ts'

let d1: TestD1 | null = null
afterAll(() => d1?.close())

describeOwnedObjects('D1', async () => {
  d1 = await openD1()
  return sqlOwnedObjects(d1Sessions(d1.db))
})

describeOwnedObjects('SQLite', async () => {
  const db = new DatabaseSync(':memory:')
  migrateSqlite(db, readMigrations(join(import.meta.dirname, '../../migrations')))
  return sqlOwnedObjects(sqliteSessions(db))
})
