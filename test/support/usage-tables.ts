// The tables of usage in the D1 of a test inside workerd.
import schema from '../../migrations/0002_usage.sql?raw'

export async function migrateUsage(db: D1Database): Promise<void> {
  const statements = schema
    .replaceAll(/--.*$/gm, '')
    .split(';')
    .map((sql) => sql.trim())
    .filter((sql) => sql !== '')
  for (const sql of statements) {
    await db.prepare(sql.replace(/^CREATE (TABLE|INDEX)/, 'CREATE $1 IF NOT EXISTS')).run()
  }
}
