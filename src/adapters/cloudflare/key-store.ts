// Keys in D1. Read from the nearest replica: the isolate's cache already makes a change take effect only after
// a while, and a caller's first request should not cross an ocean.
import type { KeyStore } from '../../ports.ts'
import { ALLOWS_ORIGIN_SQL, FIND_KEY_SQL, type Row, toStoredKey } from '../sql/key-rows.ts'

export function d1KeyStore(db: D1Database): KeyStore {
  const first = (sql: string, ...values: string[]) =>
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
    async allowsOrigin(origin) {
      return (await first(ALLOWS_ORIGIN_SQL, origin)) !== null
    },
  }
}
