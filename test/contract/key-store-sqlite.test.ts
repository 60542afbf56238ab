// The keys of a gateway on Bun or Deno: the same schema as D1's, in a file, through this runtime's own SQLite.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { configure } from '../../src/adapters/sqlite/database.ts'
import { sqliteKeyStore } from '../../src/adapters/sqlite/key-store.ts'
import { migrateSqlite, readMigrations } from '../../src/adapters/sqlite/migrate.ts'
import { describeKeyStore } from './key-store-suite.ts'

const MIGRATIONS = readMigrations(join(import.meta.dirname, '../../migrations'))

function openDatabase(): DatabaseSync {
  const db = new DatabaseSync(':memory:')
  configure(db)
  migrateSqlite(db, MIGRATIONS)
  return db
}

describeKeyStore('SQLite', async () => {
  const db = openDatabase()
  db.exec(`
    INSERT INTO tenants VALUES
      ('acme', 'acme', 'premium', '{"origins":["https://app.acme.test"],"limits_fail":"closed"}', '{}', 0, 0),
      ('gone', 'gone', 'premium', '{"origins":["https://gone.test"],"auto_prompt_cache":true}',
        '{"requests_per_minute":null,"budget_usd_per_day":0.5,"on_overload":"reject"}', 1, 0),
      ('bare', 'bare', 'premium', '{"limits_fail":"open","auto_prompt_cache":false,"cache_ttl_seconds":60}', '{}', 0, 0);
    INSERT INTO keys (id, tenant, name, secret_hash, created_at, expires_at, models, origins, disabled,
        ips, previous_hash, previous_expires_at) VALUES
      ('plainplain', 'acme', 'test', '${'a'.repeat(64)}', 0, NULL, NULL, NULL, 0, NULL, NULL, NULL),
      ('narrownarr', 'acme', 'test', '${'b'.repeat(64)}', 0, 1900000000123,
        '["claude-haiku-*"]', '["https://kiosk.acme.test"]', 1,
        '["10.0.0.0/8","2001:db8::1"]', '${'e'.repeat(64)}', 1800000000456),
      ('gonegonego', 'gone', 'test', '${'c'.repeat(64)}', 0, NULL, NULL, NULL, 0, NULL, NULL, NULL),
      ('barebareba', 'bare', 'test', '${'d'.repeat(64)}', 0, NULL, NULL, NULL, 0, NULL, NULL, NULL)`)
  return sqliteKeyStore(db)
})

test('a database that cannot be asked is an error, not an unknown key', async () => {
  const db = openDatabase()
  const store = sqliteKeyStore(db)
  db.close()
  await expect(store.findKey('plainplain')).rejects.toThrow()
  await expect(store.ping()).rejects.toThrow()
})

test('migrating again changes nothing, and applies what is new', () => {
  const db = openDatabase()
  migrateSqlite(db, MIGRATIONS)
  const further = { name: '9999_further.sql', sql: 'CREATE TABLE further (id INTEGER); -- last' }
  migrateSqlite(db, [...MIGRATIONS, further])
  migrateSqlite(db, [...MIGRATIONS, further])
  const names = db.prepare('SELECT name FROM d1_migrations ORDER BY id').all()
  expect(names.map((row) => row['name'])).toEqual([
    ...MIGRATIONS.map(({ name }) => name),
    further.name,
  ])
  expect(() => migrateSqlite(db, MIGRATIONS)).toThrow(/9999_further/)
})

test('a migration that fails leaves nothing of itself behind', () => {
  const db = new DatabaseSync(':memory:')
  const half = {
    name: '0001_half.sql',
    sql: 'CREATE TABLE half (id INTEGER); INSERT INTO nowhere VALUES (1)',
  }
  expect(() => migrateSqlite(db, [half])).toThrow(/nowhere/)
  const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()
  expect(tables).toEqual([])
})
