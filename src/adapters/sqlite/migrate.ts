// Brings a SQLite file to the schema of migrations/, the same that D1 gets. Wrangler's own table says what was
// applied, so a database that came out of D1 is known here too.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type SqliteDatabase, transact } from './database.ts'

export interface SqlMigration {
  readonly name: string
  readonly sql: string
}

/** In their order. */
export function readMigrations(dir: string): SqlMigration[] {
  const names = readdirSync(dir).filter((name) => name.endsWith('.sql'))
  return names.sort().map((name) => ({ name, sql: readFileSync(join(dir, name), 'utf8') }))
}

const APPLIED_TABLE = `
  CREATE TABLE IF NOT EXISTS d1_migrations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT UNIQUE,
    applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
  )`

/** Throws on a database that knows migrations which this version does not. */
export function migrateSqlite(db: SqliteDatabase, migrations: readonly SqlMigration[]): void {
  transact(db, () => {
    db.exec(APPLIED_TABLE)
    const applied = new Set(db.prepare('SELECT name FROM d1_migrations').all().map(readName))
    const known = new Set(migrations.map(({ name }) => name))
    const newer = [...applied].filter((name) => !known.has(name))
    if (newer.length > 0) {
      throw new RangeError(`Cannot run on a newer schema: ${newer.join(', ')} was applied`)
    }
    for (const { name, sql } of migrations.filter((each) => !applied.has(each.name))) {
      db.exec(sql)
      db.prepare('INSERT INTO d1_migrations (name) VALUES (?1)').all(name)
    }
  })
}

function readName(row: unknown): string {
  const name = typeof row === 'object' && row !== null && 'name' in row ? row.name : null
  if (typeof name !== 'string') throw new TypeError('column name is not text')
  return name
}
