import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { d1Sessions } from '../../src/adapters/cloudflare/sql-session.ts'
import { memoryAccountStore } from '../../src/adapters/memory/account-store.ts'
import { sqlAccountStore } from '../../src/adapters/sql/account-store.ts'
import { configure } from '../../src/adapters/sqlite/database.ts'
import { migrateSqlite, readMigrations } from '../../src/adapters/sqlite/migrate.ts'
import { sqliteSessions } from '../../src/adapters/sqlite/sql-session.ts'
import { openD1, type TestD1 } from '../support/d1.ts'
import { describeAccountRecords } from './account-records-suite.ts'
import { describeAccountStore, givenAccounts } from './account-store-suite.ts'

let d1: TestD1
beforeAll(async () => {
  d1 = await openD1()
})
afterAll(() => d1.close())

function openDatabase(): DatabaseSync {
  const db = new DatabaseSync(':memory:')
  configure(db)
  migrateSqlite(db, readMigrations(join(import.meta.dirname, '../../migrations')))
  return db
}

describeAccountStore('memory', async () => memoryAccountStore(Object.values(givenAccounts)))
describeAccountRecords('SQLite', async () => sqliteSessions(openDatabase()))
describeAccountRecords('D1', async () => d1Sessions(d1.db))

test('calls ask the nearest replica for the accounts, an operator the primary', async () => {
  const starts: unknown[] = []
  const store = sqlAccountStore(
    d1Sessions({
      withSession(start) {
        starts.push(start)
        return d1.db.withSession(start)
      },
    }),
  )
  await store.listAccounts('nearest')
  await store.listAccounts('newest')
  expect(starts).toEqual(['first-unconstrained', 'first-primary'])
})

test.each([
  ['weight is not above 0', '{"weight":0}'],
  ['weight is not a number', '{"weight":"2"}'],
  ['max_concurrent is not a whole number', '{"max_concurrent":1.5}'],
  ['backup is not true or false', '{"backup":1}'],
  ['models is not a list of texts', '{"models":[1]}'],
])('a row in which %s is told apart, and hides no other', async (problem, fields) => {
  const db = openDatabase()
  const insert = db.prepare('INSERT INTO accounts (id, fields, created_at) VALUES (?, ?, 1)')
  insert.run('odd', fields)
  insert.run('even', '{"weight":2}')
  expect(await sqlAccountStore(sqliteSessions(db)).listAccounts('nearest')).toMatchObject({
    accounts: [{ id: 'even' }],
    unreadable: [{ id: 'odd', problem: expect.stringContaining(problem) }],
  })
})
