// Batches and files as rows, over any database that speaks our SQL. Always the newest state: what one location made,
// another may be asked for at once.
import type { OwnedPage } from '../../core/owned/list-page.ts'
import type { OwnedKind, OwnedObject } from '../../core/owned/owned-object.ts'
import type { OwnedObjects } from '../../ports/owned-objects.ts'
import { readNumber, readNumberOrNull, readText } from './audited.ts'
import type { OpenSqlSession, SqlRow, SqlValue } from './session.ts'

const KEEP = `INSERT INTO owned_objects (id, kind, tenant, account, key, user, created_at, expires_at, shown, final)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING`
const FIND = 'SELECT * FROM owned_objects WHERE id = ?1 AND tenant = ?2 AND kind = ?3'
const OWN = `FROM owned_objects WHERE tenant = ?1 AND kind = ?2 AND (expires_at IS NULL OR expires_at > ?3)`
const SEE =
  'UPDATE owned_objects SET shown = ?2, final = ?3, expires_at = ?4 WHERE id = ?1 AND final = 0'
const UNBILLED = `SELECT * FROM owned_objects WHERE kind = 'batch' AND billed_at IS NULL AND created_at < ?1
  ORDER BY random() LIMIT ?2`
const OWNERS = `SELECT id, tenant, account FROM owned_objects
  WHERE id IN (SELECT value FROM json_each(?1))`

export function sqlOwnedObjects(openSession: OpenSqlSession): OwnedObjects {
  const all = (sql: string, ...values: SqlValue[]) =>
    openSession({ from: 'primary', bookmark: null }).all(sql, ...values)

  const placeOf = async (tenant: string, kind: OwnedKind, id: string): Promise<number | null> => {
    const [row] = await all(FIND, id, tenant, kind)
    return row === undefined ? null : readNumber(row, 'seq')
  }

  return {
    async keep(object) {
      const { id, kind, tenant, account, key, user } = object
      const { createdAt, expiresAt, shown, isFinal } = object
      const whose = [id, kind, tenant, account, key, user]
      await all(KEEP, ...whose, createdAt, expiresAt, shown, Number(isFinal))
    },
    async find(tenant, kind, id) {
      const [row] = await all(FIND, id, tenant, kind)
      return row === undefined ? null : toObject(row)
    },
    async list(tenant, kind, { limit, afterId, beforeId }: OwnedPage, now) {
      const pivot = afterId ?? beforeId
      const place = pivot === null ? null : await placeOf(tenant, kind, pivot)
      if (pivot !== null && place === null) return null
      const isBefore = beforeId !== null
      const range = place === null ? '' : `AND seq ${isBefore ? '>' : '<'} ?5`
      const rows = await all(
        `SELECT * ${OWN} ${range} ORDER BY seq ${isBefore ? 'ASC' : 'DESC'} LIMIT ?4`,
        tenant,
        kind,
        now,
        limit + 1,
        ...(place === null ? [] : [place]),
      )
      const objects = rows.slice(0, limit).map(toObject)
      return { objects: isBefore ? objects.toReversed() : objects, hasMore: rows.length > limit }
    },
    async see({ id, shown, isFinal, expiresAt }) {
      await all(SEE, id, shown, Number(isFinal), expiresAt)
    },
    async forget(id) {
      await all('DELETE FROM owned_objects WHERE id = ?1', id)
    },
    async markBilled(id, at) {
      await all(
        'UPDATE owned_objects SET billed_at = ?2 WHERE id = ?1 AND billed_at IS NULL',
        id,
        at,
      )
    },
    async findUnbilled(before, limit) {
      return (await all(UNBILLED, before, limit)).map(toObject)
    },
    async isBilled(id) {
      const [row] = await all('SELECT billed_at FROM owned_objects WHERE id = ?1', id)
      return row === undefined || readNumberOrNull(row, 'billed_at') !== null
    },
    async findOwners(ids) {
      return (await all(OWNERS, JSON.stringify(ids))).map((row) => ({
        id: readText(row, 'id'),
        tenant: readText(row, 'tenant'),
        account: readText(row, 'account'),
      }))
    },
  }
}

const toObject = (row: SqlRow): OwnedObject => ({
  id: readText(row, 'id'),
  // The table's own check.
  kind: readText(row, 'kind') as OwnedKind,
  tenant: readText(row, 'tenant'),
  account: readText(row, 'account'),
  key: readText(row, 'key'),
  user: readText(row, 'user'),
  createdAt: readNumber(row, 'created_at'),
  expiresAt: readNumberOrNull(row, 'expires_at'),
  shown: readText(row, 'shown'),
  isFinal: row['final'] === 1,
})
