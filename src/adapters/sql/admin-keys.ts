// Keys as rows, for those who manage them. Who calls reads them by key-rows.ts.
import type { KeyRecord } from '../../core/admin/key-body.ts'
import type { AdminWrite, KeyChange, KeyRecords } from '../../ports/admin.ts'
import {
  parseTexts,
  readNumber,
  readNumberOrNull,
  readText,
  runAudited,
  timeSql,
  truthSql,
} from './audited.ts'
import { listPage } from './listed.ts'
import {
  type SqlRow,
  type SqlSession,
  type SqlStatement,
  type SqlValue,
  statement,
} from './session.ts'

const SNAPSHOT = `SELECT json_object('id', id, 'tenant', tenant, 'name', name, 'created_at', ${timeSql('created_at')},
    'expires_at', ${timeSql('expires_at')}, 'models', json(models), 'origins', json(origins), 'ips', json(ips),
    'disabled', ${truthSql('disabled')}, 'rotations', rotations,
    'former_secret_until', ${timeSql('previous_expires_at')})
  FROM keys WHERE id = ?1 AND revoked_at IS NULL`

const LIST = `SELECT * FROM keys WHERE tenant = ?1 AND revoked_at IS NULL AND (created_at, id) > (?2, ?3)
  ORDER BY created_at, id LIMIT ?4`

const ADD = `INSERT INTO keys (id, tenant, name, secret_hash, created_at, expires_at, models, origins, ips, disabled)
  SELECT ?1, id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM tenants WHERE id = ?2 RETURNING id`

// A new secret's hash is under the current pepper, so a change of the pepper need not wait for this key any more.
const ROTATE = `UPDATE keys SET previous_hash = secret_hash, previous_expires_at = ?3, secret_hash = ?2,
    rehashed_at = ?4, rotations = rotations + 1
  WHERE id = ?1 AND revoked_at IS NULL RETURNING id`

// The row stays, so that its holder is told that the key was revoked, and not that it is unknown.
const REVOKE = `UPDATE keys SET disabled = 1, revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL RETURNING id`

export const keyRecords = (session: SqlSession): KeyRecords => {
  const run = async (action: string, write: AdminWrite, change: SqlStatement, id: string) => {
    const audit = { action: `key.${action}`, target: id, tenant: null, snapshotSql: SNAPSHOT }
    const [rows] = await runAudited(session, { write, audit }, [change])
    return rows?.[0]
  }
  return {
    async findKey(id) {
      const sql = 'SELECT * FROM keys WHERE id = ?1 AND revoked_at IS NULL'
      const [row] = await session.all(sql, id)
      return row === undefined ? null : toKey(row)
    },
    listKeys: (tenant, page) =>
      listPage(page, {
        rows: (limit, after) =>
          session.all(LIST, tenant, after?.[0] ?? -1, after?.[1] ?? '', limit),
        read: toKey,
        placeOf: (row) => [readNumber(row, 'created_at'), readText(row, 'id')],
      }),
    async addKey(key, secretHash, write) {
      const add = statement(
        ADD,
        key.id,
        key.tenant,
        key.name,
        secretHash,
        key.createdAt,
        key.expiresAt,
        ...[key.models, key.origins, key.ips].map(toJson),
        Number(key.disabled),
      )
      return (await run('create', write, add, key.id)) !== undefined
    },
    async rotateKey(id, { secretHash, formerUntil }, write) {
      const rotate = statement(ROTATE, id, secretHash, formerUntil, write.at)
      return (await run('rotate', write, rotate, id)) !== undefined
    },
    async changeKey(id, change, write) {
      const row = await run('update', write, changeStatement(id, change), id)
      return row === undefined ? null : toKey(row)
    },
    async revokeKey(id, write) {
      const revoke = statement(REVOKE, id, write.at)
      return (await run('revoke', write, revoke, id)) !== undefined
    },
  }
}

/** Null is a value here, so only what is named is set. */
function changeStatement(id: string, change: KeyChange): SqlStatement {
  const columns: readonly (readonly [string, SqlValue | undefined])[] = [
    ['name', change.name],
    ['expires_at', change.expiresAt],
    ['models', change.models === undefined ? undefined : toJson(change.models)],
    ['origins', change.origins === undefined ? undefined : toJson(change.origins)],
    ['ips', change.ips === undefined ? undefined : toJson(change.ips)],
    ['disabled', change.disabled === undefined ? undefined : Number(change.disabled)],
  ]
  const set = columns.flatMap(([column, value]) => (value === undefined ? [] : [{ column, value }]))
  const assignments = ['id = ?1', ...set.map(({ column }, at) => `${column} = ?${at + 2}`)]
  return statement(
    `UPDATE keys SET ${assignments.join(', ')} WHERE id = ?1 AND revoked_at IS NULL RETURNING *`,
    id,
    ...set.map(({ value }) => value),
  )
}

const toKey = (row: SqlRow): KeyRecord => ({
  id: readText(row, 'id'),
  tenant: readText(row, 'tenant'),
  name: readText(row, 'name'),
  createdAt: readNumber(row, 'created_at'),
  lastUsedAt: readNumberOrNull(row, 'last_used_at'),
  expiresAt: readNumberOrNull(row, 'expires_at'),
  models: parseTexts(row['models']),
  origins: parseTexts(row['origins']),
  ips: parseTexts(row['ips']),
  disabled: row['disabled'] !== 0,
})

const toJson = (list: readonly string[] | null): string | null =>
  list === null ? null : JSON.stringify(list)
