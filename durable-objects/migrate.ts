// Brings an object's SQLite schema up to date. A schema is an append-only list: what was applied must be a
// prefix of it, so that neither a reordering nor an older version of the code can run on newer tables.

export interface Migration {
  readonly id: string
  readonly sql: string
}

/** What this needs of an object's storage. */
export interface SchemaStorage {
  readonly sql: Pick<SqlStorage, 'exec'>
  transactionSync<T>(work: () => T): T
}

export function migrate(storage: SchemaStorage, migrations: readonly Migration[]): void {
  const { sql } = storage
  sql.exec('CREATE TABLE IF NOT EXISTS migrations (seq INTEGER PRIMARY KEY, id TEXT NOT NULL)')
  const applied = sql.exec<{ id: string }>('SELECT id FROM migrations ORDER BY seq').toArray()
  if (applied.length > migrations.length) {
    throw new RangeError(
      `Cannot run on a newer schema: ${applied.length} migrations are applied, ${migrations.length} are known`,
    )
  }
  for (const [seq, { id }] of applied.entries()) {
    if (migrations[seq]?.id === id) continue
    throw new RangeError(
      `Cannot migrate as the list of migrations is append-only: "${id}" was applied, "${migrations[seq]?.id}" is listed`,
    )
  }
  const missing = migrations.slice(applied.length)
  if (missing.length === 0) return
  storage.transactionSync(() => {
    for (const [index, migration] of missing.entries()) {
      sql.exec(migration.sql)
      const seq = applied.length + index
      sql.exec('INSERT INTO migrations (seq, id) VALUES (?, ?)', seq, migration.id)
    }
  })
}
