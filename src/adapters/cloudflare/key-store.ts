// Keys in D1. Read from the nearest replica: the isolate's cache already makes a change take effect only after
// a while, and a caller's first request should not cross an ocean.
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

export function d1KeyStore(db: D1Database): KeyStore {
  const first = (sql: string, ...values: (string | number)[]) =>
    db
      .withSession('first-unconstrained')
      .prepare(sql)
      .bind(...values)
      .first<Row>()
  return {
    async findKey(keyId) {
      const row = await first(FIND_KEY_SQL, keyId)
      return row === null ? null : toStoredKey(row)
    },
    async ping() {
      await first('SELECT 1 AS alive')
    },
    async allowsOrigin(origin, now) {
      return (await first(ALLOWS_ORIGIN_SQL, origin, now)) !== null
    },
    async replaceHash(keyId, { from, to, at }) {
      await db.prepare(REPLACE_HASH_SQL).bind(keyId, from, to, at).run()
    },
    async allowOrigin(origin, until, now) {
      await db.batch([
        db.prepare(ALLOW_ORIGIN_SQL).bind(origin, until),
        db.prepare(FORGET_ORIGINS_SQL).bind(now),
      ])
    },
  }
}
