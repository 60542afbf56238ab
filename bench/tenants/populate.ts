// Tenants, keys and usage by the thousand, written straight into the database of a gateway's state directory.
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeApiKey } from '../../src/core/keys/api-key.ts'
import { createKeyHasher } from '../../src/flows/hash-key.ts'

export interface Population {
  readonly tenants: number
  /** In all, spread over the tenants. */
  readonly keys: number
  /** So many of the keys can be used. */
  readonly usable: number
}

/** Gives the usable keys, each far from the next. */
export async function populate(
  dir: string,
  { tenants, keys, usable }: Population,
): Promise<string[]> {
  const { pepper } = JSON.parse(readFileSync(join(dir, 'secrets.json'), 'utf8')) as {
    pepper: string
  }
  const hash = createKeyHasher(pepper)
  const usableKeys: { readonly text: string; readonly hash: string; readonly id: string }[] = []
  for (let index = 0; index < usable; index += 1) {
    const { id, text } = makeApiKey(randomBytes(64))
    usableKeys.push({ id, text, hash: await hash(text) })
  }
  const db = openDatabase(join(dir, 'worker'))
  const addTenant = db.prepare(
    `INSERT INTO tenants (id, name, tier, settings, overrides, created_at) VALUES (?1, ?1, 'premium', ?2, ?3, ?4)`,
  )
  const addKey = db.prepare(
    `INSERT INTO keys (id, tenant, name, secret_hash, created_at) VALUES (?, ?, 'bench', ?, ?)`,
  )
  const addUsage = db.prepare(
    `INSERT INTO usage VALUES (?, '2026-11-01', 'claude-sonnet-5-5', ?, '', 1, 10, 20, 0, 0, 30000, 0)`,
  )
  const settings = JSON.stringify({ limits_fail: 'count', auto_prompt_cache: true })
  // No window and no budget may end a run.
  const overrides = JSON.stringify({
    requests_per_minute: null,
    requests_per_hour: null,
    input_tokens_per_minute: null,
    output_tokens_per_minute: null,
    budget_usd_per_day: 1_000_000,
  })
  const every = Math.floor(keys / usable)
  db.exec('BEGIN')
  for (let index = 0; index < tenants; index += 1) {
    addTenant.run(`bench-${index}`, settings, overrides, Date.now() + index)
  }
  for (let index = 0; index < keys; index += 1) {
    const own = index % every === 0 ? usableKeys[index / every] : undefined
    const tenant = `bench-${index % tenants}`
    const id = own?.id ?? makeApiKey(randomBytes(64)).id
    addKey.run(id, tenant, own?.hash ?? randomBytes(32).toString('hex'), Date.now())
    addUsage.run(tenant, id)
  }
  db.exec('COMMIT')
  db.close()
  return usableKeys.map(({ text }) => text)
}

function openDatabase(dir: string): DatabaseSync {
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' })
  for (const name of files.filter((each) => each.endsWith('.sqlite'))) {
    const db = new DatabaseSync(join(dir, name), { timeout: 10_000 })
    if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'tenants'").get() !== undefined) {
      return db
    }
    db.close()
  }
  throw new Error(`No database with tenants lies under ${dir}`)
}
