// Three tenants with one key each, for a machine of one's own: one a tier, so that each tier's limits can be met.
import { makeApiKey, readApiKey } from '../../src/core/keys/api-key.ts'
import { createKeyHasher } from '../../src/flows/hash-key.ts'

export interface DevSeed {
  readonly pepper: string
  /** By tier. */
  readonly keys: Readonly<Record<'free' | 'premium' | 'enterprise', string>>
}

export interface SeedStatement {
  readonly sql: string
  readonly values: readonly (string | number)[]
}

/** What the seed needs of D1. */
export interface SeedDatabase<Statement> {
  prepare(sql: string): { bind(...values: (string | number)[]): Statement }
  batch(statements: Statement[]): Promise<unknown>
}

/** Any browser page may call: it is echoed by its name, never as `*`. */
const DEV_SETTINGS = JSON.stringify({ origins: ['*'] })

export const newKey = (randomBytes: Uint8Array): string => makeApiKey(randomBytes).text

/** May be run at every start: what is there already is left, a key's hash follows the pepper. */
export async function seed<Statement>(
  db: SeedDatabase<Statement>,
  { pepper, keys }: DevSeed,
): Promise<void> {
  const statements = await seedStatements({ pepper, keys })
  await db.batch(statements.map(({ sql, values }) => db.prepare(sql).bind(...values)))
}

export async function seedStatements({ pepper, keys }: DevSeed): Promise<SeedStatement[]> {
  const hash = createKeyHasher(pepper)
  const perTier = Object.entries(keys).map(async ([tier, text]) => {
    const read = readApiKey(text)
    if (read.kind !== 'key') throw new Error(`The key of tier ${tier} is ${read.kind}`)
    const tenant = `dev-${tier}`
    return [
      {
        sql: `INSERT INTO tenants (id, name, tier, settings, created_at)
          VALUES (?1, ?2, ?3, ?4, unixepoch() * 1000) ON CONFLICT (id) DO NOTHING`,
        values: [tenant, `Development, ${tier}`, tier, DEV_SETTINGS],
      },
      {
        sql: `INSERT INTO keys (id, tenant, name, secret_hash, created_at)
          VALUES (?1, ?2, 'development', ?3, unixepoch() * 1000)
          ON CONFLICT (id) DO UPDATE SET secret_hash = excluded.secret_hash`,
        values: [read.key.id, tenant, await hash(text)],
      },
    ]
  })
  return (await Promise.all(perTier)).flat()
}
