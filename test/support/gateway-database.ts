// Changes D1 of a running test gateway behind its back, as another location's admin call would.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'

const BUSY_TIMEOUT_MS = 5_000

/** Runs one statement in the database that has the tenants; says how many rows it changed. */
export function changeDatabase(dir: string, sql: string, ...values: SQLInputValue[]): number {
  for (const path of sqliteFiles(join(dir, 'worker'))) {
    const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
    try {
      const found = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'tenants'").get()
      if (found !== undefined) return Number(db.prepare(sql).run(...values).changes)
    } finally {
      db.close()
    }
  }
  throw new Error(`No database with tenants lies under ${dir}`)
}

const sqliteFiles = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.sqlite'))
    .map((name) => join(dir, name))
