// A migrated D1 for tests in Node: the platform's own, in Miniflare.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { unstable_splitSqlQuery } from 'wrangler'

const MIGRATIONS = join(import.meta.dirname, '../../migrations')

export interface TestD1 {
  readonly db: D1Database
  close(): Promise<void>
}

export async function openD1(): Promise<TestD1> {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: 'export default {}',
      d1Databases: ['DB'],
      cf: false,
    } as Parameters<typeof convertV4MiniflareOptions>[0]),
  )
  const db = (await miniflare.getD1Database('DB')) as unknown as D1Database
  for (const name of readdirSync(MIGRATIONS).toSorted()) {
    const statements = unstable_splitSqlQuery(readFileSync(join(MIGRATIONS, name), 'utf8'))
    await db.batch(statements.map((statement) => db.prepare(statement)))
  }
  return { db, close: () => miniflare.dispose() }
}
