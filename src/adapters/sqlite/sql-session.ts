// Sessions of a SQLite file: one process, one copy, so every read sees every write and there are no bookmarks.
import { GatewayError } from '../../core/errors.ts'
import type { OpenSqlSession, SqlRow, SqlStatement } from '../sql/session.ts'
import { type SqliteDatabase, transact } from './database.ts'

export const sqliteSessions = (db: SqliteDatabase): OpenSqlSession => {
  // SQLite gives rows as objects of columns.
  const run = ({ sql, values }: SqlStatement) => db.prepare(sql).all(...values) as SqlRow[]
  return () => ({
    all: async (sql, ...values) => answered(() => run({ sql, values })),
    batch: async (statements) =>
      answered(() => {
        const rows: SqlRow[][] = []
        transact(db, () => {
          for (const statement of statements) rows.push(run(statement))
        })
        return rows
      }),
    bookmark: () => null,
  })
}

function answered<T>(ask: () => T): T {
  try {
    return ask()
  } catch (cause) {
    // Another process holds the file, or it is closed.
    if (/locked|busy|not open|closed/i.test(String(cause))) {
      throw new GatewayError('store_unavailable', 'The database cannot be reached', { cause })
    }
    throw cause
  }
}
