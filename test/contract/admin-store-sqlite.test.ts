import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { configure } from '../../src/adapters/sqlite/database.ts'
import { migrateSqlite, readMigrations } from '../../src/adapters/sqlite/migrate.ts'
import { sqliteKeyStore } from '../../src/adapters/sqlite/key-store.ts'
import { sqliteSessions } from '../../src/adapters/sqlite/sql-session.ts'
import { sqlAdminStore } from '../../src/adapters/sql/admin-store.ts'
import { describeAdminRecord } from './admin-record-suite.ts'
import { describeAdminStore, type OpenedStores } from './admin-store-suite.ts'

function openDatabase(): DatabaseSync {
  const db = new DatabaseSync(':memory:')
  configure(db)
  migrateSqlite(db, readMigrations(join(import.meta.dirname, '../../migrations')))
  return db
}

const open = async (): Promise<OpenedStores> => {
  const db = openDatabase()
  return {
    store: sqlAdminStore(sqliteSessions(db)),
    keys: sqliteKeyStore(db),
    execute: async (sql: string) => db.exec(sql),
  }
}

describeAdminStore('SQLite', open)
describeAdminRecord('SQLite', open)

test('a database that is closed is said to be unavailable', async () => {
  const db = openDatabase()
  const session = sqlAdminStore(sqliteSessions(db)).open({ from: 'nearest', bookmark: null })
  db.close()
  await expect(session.findTenant('x')).rejects.toMatchObject({ reason: 'store_unavailable' })
})
