// The one thin port to SQLite. `bun:sqlite` and `node:sqlite` (Deno, Node) both have this shape as they are, so a
// doorway hands its runtime's own database over, and nothing wraps it.
export type SqliteValue = string | number | null | Uint8Array

export interface SqliteStatement {
  /** Every row; none for a statement that writes. */
  all(...values: SqliteValue[]): unknown[]
}

export interface SqliteDatabase {
  /** One or more statements without values. */
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
  close(): void
}

/** All of it or nothing; what is thrown inside comes out. */
export function transact(db: SqliteDatabase, work: () => void): void {
  // At once for writing: a reader that becomes a writer later may find another one in its way.
  db.exec('BEGIN IMMEDIATE')
  try {
    work()
    db.exec('COMMIT')
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}

const BUSY_TIMEOUT_MS = 2_000

/**
 * As D1 behaves, and durable: what was committed outlives the machine's power, not only the process. Another
 * process may write for a moment, `npm run create-key` for one.
 */
export function configure(db: SqliteDatabase): void {
  db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
  db.exec('PRAGMA journal_mode = WAL')
  db.exec('PRAGMA synchronous = FULL')
  db.exec('PRAGMA foreign_keys = ON')
}
