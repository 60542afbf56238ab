// Keys in a SQLite file beside the process: for the doorways without D1.
import type { KeyStore } from '../../ports.ts'
import { ALLOWS_ORIGIN_SQL, FIND_KEY_SQL, type Row, toStoredKey } from '../sql/key-rows.ts'
import type { SqliteDatabase } from './database.ts'

export function sqliteKeyStore(db: SqliteDatabase): KeyStore {
  const findKey = db.prepare(FIND_KEY_SQL)
  const findOrigin = db.prepare(ALLOWS_ORIGIN_SQL)
  const ping = db.prepare('SELECT 1 AS alive')
  return {
    async findKey(keyId) {
      const [row] = findKey.all(keyId)
      // SQLite gives rows as objects of columns.
      return row === undefined ? null : toStoredKey(row as Row)
    },
    async ping() {
      ping.all()
    },
    async allowsOrigin(origin) {
      return findOrigin.all(origin).length > 0
    },
  }
}
