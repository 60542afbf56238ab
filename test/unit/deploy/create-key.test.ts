import * as fc from 'fast-check'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { configure } from '../../../src/adapters/sqlite/database.ts'
import { sqliteKeyStore } from '../../../src/adapters/sqlite/key-store.ts'
import { migrateSqlite, readMigrations } from '../../../src/adapters/sqlite/migrate.ts'
import { createAuthenticator } from '../../../src/flows/authenticate.ts'
import { createTokenSeal } from '../../../src/flows/seal-token.ts'
import { readKeyOptions } from '../../../tools/deploy/key-options.ts'
import { findTenantSql, insertSql, type NewKey } from '../../../tools/deploy/key-sql.ts'
import { makeKey, storeInFile } from '../../../tools/deploy/store-key.ts'

const PEPPER = 'p'.repeat(32)
const about = { tenant: 'acme', tenantName: 'Acme', tier: 'free', keyName: 'first', origins: null }
let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-key-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

test('a key that was made opens the gateway that has the same pepper, and no other', async () => {
  const path = join(dir, 'new', 'sluice.db')
  const { text, row } = await makeKey({ ...about, origins: ['https://a.test'] }, PEPPER)
  expect(storeInFile(path, row)).toMatchObject({ id: 'acme', tier: 'free', disabled: 0 })
  const db = new DatabaseSync(path, { readOnly: true })
  const authenticate = (pepper: string) =>
    createAuthenticator({
      keys: sqliteKeyStore(db),
      peppers: [pepper],
      seal: createTokenSeal([pepper]),
      cacheMs: 0,
      now: Date.now,
    })(new Headers({ 'x-api-key': text }))
  expect(await authenticate(PEPPER)).toMatchObject({
    kind: 'caller',
    caller: { tenant: 'acme', tier: { name: 'free' }, origins: ['https://a.test'] },
  })
  expect(await authenticate('q'.repeat(32))).toEqual({ kind: 'refused', reason: 'key_unknown' })
  const [, , secret = 'none'] = text.split('_')
  const stored = JSON.stringify(db.prepare('SELECT * FROM keys, tenants').all())
  expect(stored).not.toContain(secret)
  db.close()
})

test('a tenant that is there already stays as it is and gets one more key', async () => {
  const path = join(dir, 'sluice.db')
  const first = await makeKey(about, PEPPER)
  storeInFile(path, first.row)
  const second = await makeKey({ ...about, tenantName: 'Other', tier: 'enterprise' }, PEPPER)
  expect(storeInFile(path, second.row)).toMatchObject({ name: 'Acme', tier: 'free' })
  const db = new DatabaseSync(path, { readOnly: true })
  expect(db.prepare('SELECT id FROM keys ORDER BY created_at').all()).toHaveLength(2)
  db.close()
})

test('a tier that there is not leaves nothing behind', async () => {
  const path = join(dir, 'sluice.db')
  const { row } = await makeKey({ ...about, tier: 'golden' }, PEPPER)
  expect(() => storeInFile(path, row)).toThrow(/FOREIGN KEY/)
  const db = new DatabaseSync(path, { readOnly: true })
  expect(db.prepare('SELECT id FROM tenants').all()).toEqual([])
  db.close()
})

test('any text in a name is stored as it is', () => {
  const db = new DatabaseSync(':memory:')
  configure(db)
  migrateSqlite(db, readMigrations(join(import.meta.dirname, '../../../migrations')))
  let count = 0
  const name = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0'))
  fc.assert(
    fc.property(name, name, (tenantName, keyName) => {
      const tenant = `t${++count}`
      const row: NewKey = {
        ...about,
        tenant,
        tenantName,
        keyName,
        keyId: tenant,
        secretHash: 'a'.repeat(64),
        createdAt: 1,
      }
      db.exec(insertSql(row).join('; '))
      expect(db.prepare(findTenantSql(tenant)).get()?.['name']).toBe(tenantName)
      expect(db.prepare('SELECT name FROM keys WHERE id = ?').get(tenant)?.['name']).toBe(keyName)
    }),
  )
  db.close()
})

test.each<[string, string[], string]>([
  ['no tenant', ['--print'], '--tenant'],
  ['a tenant with a space', ['--tenant', 'a b', '--print'], '--tenant'],
  ['no place', ['--tenant', 'a'], 'exactly one of'],
  ['two places', ['--tenant', 'a', '--local', '--remote'], 'exactly one of'],
  [
    'an origin with a path',
    ['--tenant', 'a', '--print', '--origins', 'https://a.test/x'],
    '--origins',
  ],
  ['an option that there is not', ['--tenant', 'a', '--print', '--teir', 'free'], '--teir'],
])('%s is refused by name', (_, args, named) => {
  const read = readKeyOptions(args)
  expect(read.kind).toBe('bad')
  expect(JSON.stringify(read)).toContain(named)
})

test('options that are left out have their defaults', () => {
  expect(readKeyOptions(['--tenant', 'acme', '--local', '--persist-to', 'there'])).toEqual({
    kind: 'options',
    options: {
      key: { tenant: 'acme', tenantName: 'acme', tier: 'premium', keyName: 'first', origins: null },
      target: { kind: 'd1', flags: ['--local', '--persist-to', 'there'] },
    },
  })
})
