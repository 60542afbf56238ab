// `npm run create-key -- --local` from end to end: wrangler's own D1 on this machine takes the key.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKeyHasher } from '../../src/flows/hash-key.ts'
import { root, wrangler } from '../../tools/deploy/wrangler.ts'

const PEPPER = 'pepper-of-the-create-key-test-0123456789'
let dir: string

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-create-key-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }))

const local = () => ['--local', '--persist-to', dir]

test('a tenant with a difficult name and its key are in D1, and the key is printed alone', async () => {
  const migrated = await wrangler(['d1', 'migrations', 'apply', 'DB', ...local()])
  expect(migrated, migrated.stderr).toMatchObject({ code: 0 })
  const name = `O'Neil; -- "x"`
  const printed = execFileSync(
    process.execPath,
    ['tools/deploy/create-key.ts', '--tenant', 'acme', '--tenant-name', name, ...local()],
    { cwd: root, encoding: 'utf8', env: { ...process.env, KEY_PEPPER: PEPPER }, stdio: 'pipe' },
  )
  const key = printed.trim()
  expect(key).toMatch(/^slk_\w{10}_\w{32}_\w{6}$/)
  expect(rowsOfD1('SELECT keys.id, secret_hash, name FROM keys')).toEqual([
    { id: key.slice(4, 14), secret_hash: await createKeyHasher(PEPPER)(key), name: 'first' },
  ])
  expect(rowsOfD1('SELECT id, name, tier FROM tenants')).toEqual([
    { id: 'acme', name, tier: 'premium' },
  ])
}, 120_000)

/** Read from wrangler's file: one more wrangler would take seconds. */
function rowsOfD1(sql: string): unknown[] {
  const file = readdirSync(dir, { recursive: true, encoding: 'utf8' }).find((path) =>
    /miniflare-D1DatabaseObject.[0-9a-f]+\.sqlite$/.test(path),
  )
  const db = new DatabaseSync(join(dir, file ?? 'none'), { readOnly: true })
  const rows = db.prepare(sql).all()
  db.close()
  return rows.map((row) => ({ ...row }))
}
