// Makes a key and brings it to where its gateway looks for it.
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { configure, transact } from '../../src/adapters/sqlite/database.ts'
import { migrateSqlite, readMigrations } from '../../src/adapters/sqlite/migrate.ts'
import { API_KEY_RANDOM_BYTES, makeApiKey } from '../../src/core/keys/api-key.ts'
import { createKeyHasher } from '../../src/flows/hash-key.ts'
import type { KeyOptions } from './key-options.ts'
import { findTenantSql, insertSql, type NewKey } from './key-sql.ts'
import { reasonOf, root, wrangler } from './wrangler.ts'

export interface MadeKey {
  /** What its holder sends; stored nowhere. */
  readonly text: string
  readonly row: NewKey
}

export async function makeKey(key: KeyOptions['key'], pepper: string): Promise<MadeKey> {
  const { id, text } = makeApiKey(randomBytes(API_KEY_RANDOM_BYTES))
  const secretHash = await createKeyHasher(pepper)(text)
  return { text, row: { ...key, keyId: id, secretHash, createdAt: Date.now() } }
}

/** Migrates the file first, so that a key can be made before the gateway's first start. Gives the tenant. */
export function storeInFile(path: string, row: NewKey): unknown {
  mkdirSync(dirname(path), { recursive: true })
  const db = new DatabaseSync(path)
  try {
    configure(db)
    migrateSqlite(db, readMigrations(join(root, 'migrations')))
    transact(db, () => {
      for (const statement of insertSql(row)) db.exec(statement)
    })
    return db.prepare(findTenantSql(row.tenant)).get()
  } finally {
    db.close()
  }
}

/** Gives the tenant as D1 now has it, or null where wrangler does not say. */
export async function storeInD1(flags: readonly string[], row: NewKey): Promise<unknown> {
  const sql = [...insertSql(row), findTenantSql(row.tenant)].join('; ')
  const args = ['d1', 'execute', 'DB', ...flags, '--yes', '--json', '--command', sql]
  const result = await wrangler(args)
  if (result.code !== 0) {
    throw new Error(
      `D1 did not take the key. Is it migrated, and does the tier exist?\n${reasonOf(result)}`,
    )
  }
  return lastRow(result.stdout)
}

/** Null where wrangler said it in another form: the key is stored all the same, and must be shown. */
function lastRow(json: string): unknown {
  try {
    const answers = JSON.parse(json) as { readonly results: readonly unknown[] }[]
    return answers.at(-1)?.results[0] ?? null
  } catch {
    return null
  }
}
