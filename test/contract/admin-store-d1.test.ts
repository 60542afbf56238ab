import { afterAll, beforeAll, expect, test } from 'vitest'
import { d1KeyStore } from '../../src/adapters/cloudflare/key-store.ts'
import { d1Sessions } from '../../src/adapters/cloudflare/sql-session.ts'
import { sqlAdminStore } from '../../src/adapters/sql/admin-store.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { openD1, type TestD1 } from '../support/d1.ts'
import { describeAdminRecord } from './admin-record-suite.ts'
import { describeAdminStore, type OpenedStores } from './admin-store-suite.ts'

let d1: TestD1

beforeAll(async () => {
  d1 = await openD1()
})
afterAll(() => d1.close())

const open = async (): Promise<OpenedStores> => ({
  store: sqlAdminStore(d1Sessions(d1.db)),
  keys: d1KeyStore(d1.db),
  execute: (sql) => d1.db.prepare(sql).run(),
})

describeAdminStore('D1', open)
describeAdminRecord('D1', open)

test('a session of D1 has a bookmark once it was used', async () => {
  const session = sqlAdminStore(d1Sessions(d1.db)).open({ from: 'nearest', bookmark: null })
  await session.findTenant('nobody')
  expect(session.bookmark()).toMatch(/^[0-9a-z-]+$/)
})

test('reads go to the nearest replica or to where the bookmark says, and changes to the primary', async () => {
  const starts: unknown[] = []
  const store = sqlAdminStore(
    d1Sessions({
      withSession(start) {
        starts.push(start)
        return d1.db.withSession(start)
      },
    }),
  )
  store.open({ from: 'nearest', bookmark: null })
  store.open({ from: 'nearest', bookmark: 'b-1' })
  store.open({ from: 'primary', bookmark: 'b-1' })
  expect(starts).toEqual(['first-unconstrained', 'b-1', 'first-primary'])
})

test('a database that cannot be asked is said to be unavailable', async () => {
  const broken = {
    prepare: () => ({
      bind: () => ({ all: () => Promise.reject(new Error('D1_ERROR: Network connection lost.')) }),
    }),
    getBookmark: () => null,
  }
  const sessions = d1Sessions({ withSession: () => broken as unknown as D1DatabaseSession })
  const session = sqlAdminStore(sessions).open({ from: 'nearest', bookmark: null })
  const error: unknown = await session.findTenant('x').catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(GatewayError)
  expect(error).toMatchObject({ reason: 'store_unavailable' })
})
