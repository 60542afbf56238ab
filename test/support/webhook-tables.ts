// The tables that webhooks read and write in the D1 of a test inside workerd.
import tenants from '../../migrations/0001_tenants.sql?raw'
import webhooks from '../../migrations/0006_webhooks.sql?raw'

export async function migrateWebhooks(db: D1Database): Promise<void> {
  const statements = `${tenants}\n${webhooks}`
    .replaceAll(/--.*$/gm, '')
    .replaceAll(/CREATE TRIGGER[\s\S]*?\bEND;/g, '')
    .split(';')
    .map((sql) => sql.trim())
    .filter((sql) => sql !== '')
  for (const sql of statements) {
    const again = sql
      .replace(/^CREATE (TABLE|INDEX)/, 'CREATE $1 IF NOT EXISTS')
      .replace(/^INSERT INTO/, 'INSERT OR IGNORE INTO')
    await db.prepare(again).run()
  }
}
