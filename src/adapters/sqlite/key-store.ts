// Keys in a SQLite file beside the process: for the doorways without D1.
import type { KeyStore } from '../../ports.ts'
import {
  ALLOW_ORIGIN_SQL,
  ALLOWS_ORIGIN_SQL,
  FIND_KEY_SQL,
  FORGET_ORIGINS_SQL,
  REPLACE_HASH_SQL,
  type Row,
  toStoredKey,
} from '../sql/key-rows.ts'
import type { SqliteDatabase } from './database.ts'

export function sqliteKeyStore(db: SqliteDatabase): KeyStore {
  const findKey = db.prepare(FIND_KEY_SQL)
  const findOrigin = db.prepare(ALLOWS_ORIGIN_SQL)
  const allowOrigin = db.prepare(ALLOW_ORIGIN_SQL)
  const forgetOrigins = db.prepare(FORGET_ORIGINS_SQL)
  const replaceHash = db.prepare(REPLACE_HASH_SQL)
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
    async allowsOrigin(origin, now) {
      return findOrigin.all(origin, now).length > 0
    },
    async replaceHash(keyId, { from, to, at }) {
      replaceHash.all(keyId, from, to, at)
    },
    async allowOrigin(origin, until, now) {
      allowOrigin.all(origin, until)
      forgetOrigins.all(now)
    },
  }
}
