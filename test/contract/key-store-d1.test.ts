import { join } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { unstable_splitSqlQuery } from 'wrangler'
import { d1KeyStore } from '../../src/adapters/cloudflare/key-store.ts'
import { ALLOWS_ORIGIN_SQL } from '../../src/adapters/sql/key-rows.ts'
import { readMigrations } from '../../src/adapters/sqlite/migrate.ts'
import { createKeyHasher } from '../../src/flows/hash-key.ts'
import { newKey, seed } from '../../tools/dev/seed.ts'
import { describeKeyStore } from './key-store-suite.ts'

const MIGRATIONS = readMigrations(join(import.meta.dirname, '../../migrations'))
const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    modules: true,
    script: 'export default {}',
    d1Databases: ['DB'],
    cf: false,
  } as Parameters<typeof convertV4MiniflareOptions>[0]),
)
let db: D1Database

beforeAll(async () => {
  db = (await miniflare.getD1Database('DB')) as unknown as D1Database
  const statements = MIGRATIONS.flatMap(({ sql }) => unstable_splitSqlQuery(sql))
  await db.batch(statements.map((statement) => db.prepare(statement)))
})
afterAll(() => miniflare.dispose())

const TENANTS: readonly (readonly [string, object, object, number])[] = [
  ['acme', { origins: ['https://app.acme.test'], limits_fail: 'closed' }, {}, 0],
  [
    'gone',
    { origins: ['https://gone.test'], auto_prompt_cache: true },
    { requests_per_minute: null, budget_usd_per_day: 0.5, on_overload: 'reject' },
    1,
  ],
  ['bare', { limits_fail: 'open', auto_prompt_cache: false, cache_ttl_seconds: 60 }, {}, 0],
]
const KEYS = [
  ['plainplain', 'acme', 'a'.repeat(64), null, null, null, 0, null, null, null],
  [
    'narrownarr',
    'acme',
    'b'.repeat(64),
    1_900_000_000_123,
    '["claude-haiku-*"]',
    '["https://kiosk.acme.test"]',
    1,
    '["10.0.0.0/8","2001:db8::1"]',
    'e'.repeat(64),
    1_800_000_000_456,
  ],
  ['gonegonego', 'gone', 'c'.repeat(64), null, null, null, 0, null, null, null],
  ['barebareba', 'bare', 'd'.repeat(64), null, null, null, 0, null, null, null],
] as const

const insertKey = (values: readonly unknown[]) =>
  db
    .prepare(
      `INSERT INTO keys (id, tenant, name, secret_hash, created_at, expires_at, models, origins, disabled,
         ips, previous_hash, previous_expires_at)
       VALUES (?1, ?2, 'test', ?3, 0, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`,
    )
    .bind(...values)

describeKeyStore('D1', async () => {
  const insertTenant = 'INSERT INTO tenants VALUES (?1, ?1, ?2, ?3, ?4, ?5, 0)'
  await db.batch([
    ...TENANTS.map(([id, settings, overrides, disabled]) =>
      db
        .prepare(insertTenant)
        .bind(id, 'premium', JSON.stringify(settings), JSON.stringify(overrides), disabled),
    ),
    ...KEYS.map(insertKey),
  ])
  return d1KeyStore(db)
})

test('a preflight is looked up, however many tenants and keys name origins', async () => {
  const { results } = await db
    .prepare(`EXPLAIN QUERY PLAN ${ALLOWS_ORIGIN_SQL}`)
    .bind('https://app.acme.test', 0)
    .all<{ detail: string }>()
  const plan = results.map((row) => row.detail).filter((detail) => /SCAN|SEARCH/.test(detail))
  expect(plan).toEqual([
    expect.stringMatching(/^SEARCH allowed_origins USING .*allowed_origins_by_origin/),
    expect.stringMatching(/^SEARCH token_origins USING PRIMARY KEY/),
  ])
})

test('a tier whose limits cannot be read is an error, not a tenant without limits', async () => {
  await db.batch([
    db.prepare(
      `INSERT INTO tenants VALUES ('odd', 'odd', 'free', '{}', '{"max_concurrent":"2"}', 0, 0)`,
    ),
    insertKey(['oddoddoddo', 'odd', 'e'.repeat(64), null, null, null, 0, null, null, null]),
  ])
  await expect(d1KeyStore(db).findKey('oddoddoddo')).rejects.toThrow(/max_concurrent/)
})

test('the seed makes a key for each tier, and may be run again with another pepper', async () => {
  const keyOf = (byte: number) => newKey(new Uint8Array(64).fill(byte))
  const keys = { free: keyOf(1), premium: keyOf(2), enterprise: keyOf(3) }
  const store = d1KeyStore(db)
  for (const pepper of ['first'.repeat(7), 'second'.repeat(7)]) {
    await seed(db, { pepper, keys })
    for (const [tier, text] of Object.entries(keys)) {
      const stored = await store.findKey(text.slice(4, 14))
      expect(stored).toMatchObject({ tenant: `dev-${tier}`, tier: { name: tier }, origins: ['*'] })
      expect(stored?.secretHash).toBe(await createKeyHasher(pepper)(text))
    }
  }
  expect(await store.allowsOrigin('http://localhost:5173', 0)).toBe(true)
})

test('the seeded tiers are those of the contract', async () => {
  const { results } = await db.prepare('SELECT * FROM tiers ORDER BY requests_per_hour').all()
  const rows = results.map((row) => Object.values(row))
  expect(rows).toEqual([
    ['free', 10, 1_000, 2, 50_000, 10_000, 1, null, 'low', 'reject', null, null],
    ['premium', 100, 10_000, 20, 1_000_000, 200_000, 100, null, 'normal', 'wait', null, null],
    ['enterprise', null, 100_000, 200, null, null, null, null, 'high', 'wait', null, null],
  ])
})
