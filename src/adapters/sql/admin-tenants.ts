// Tenants as rows.
import type { TenantRecord, TenantSettings } from '../../core/admin/tenant-body.ts'
import type { AdminWrite, TenantRecords } from '../../ports/admin.ts'
import { parseObject, readNumber, readText, runAudited, timeSql, truthSql } from './audited.ts'
import { listPage } from './listed.ts'
import { type SqlRow, type SqlSession, type SqlStatement, statement } from './session.ts'

const SNAPSHOT = `SELECT json_object('id', id, 'name', name, 'tier', tier, 'settings', json(settings),
    'overrides', json(overrides), 'disabled', ${truthSql('disabled')}, 'created_at', ${timeSql('created_at')})
  FROM tenants WHERE id = ?1`

const LIST = `SELECT * FROM tenants WHERE (created_at, id) > (?1, ?2) ORDER BY created_at, id LIMIT ?3`

// What is null in the settings has its default, and need not be stored.
const ADD = `INSERT INTO tenants (id, name, tier, settings, overrides, disabled, created_at)
  VALUES (?1, ?2, ?3, json_patch('{}', ?4), ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING RETURNING id`

const CHANGE = `UPDATE tenants SET name = coalesce(?2, name), tier = coalesce(?3, tier),
    settings = json_patch(settings, coalesce(?4, '{}')), overrides = coalesce(?5, overrides),
    disabled = coalesce(?6, disabled)
  WHERE id = ?1 RETURNING *`

export const tenantRecords = (session: SqlSession): TenantRecords => {
  const run = async (action: string, write: AdminWrite, change: SqlStatement, id: string) => {
    const audit = { action: `tenant.${action}`, target: id, tenant: id, snapshotSql: SNAPSHOT }
    const [rows] = await runAudited(session, { write, audit }, [change])
    return rows?.[0]
  }
  return {
    async findTenant(id) {
      const [row] = await session.all('SELECT * FROM tenants WHERE id = ?1', id)
      return row === undefined ? null : toTenant(row)
    },
    listTenants: (page) =>
      listPage(page, {
        rows: (limit, after) => session.all(LIST, after?.[0] ?? -1, after?.[1] ?? '', limit),
        read: toTenant,
        placeOf: (row) => [readNumber(row, 'created_at'), readText(row, 'id')],
      }),
    async addTenant(tenant, write) {
      const { id, name, tier, settings, overrides, disabled, createdAt } = tenant
      const texts = [JSON.stringify(settings), JSON.stringify(overrides)]
      const add = statement(ADD, id, name, tier, ...texts, Number(disabled), createdAt)
      return (await run('create', write, add, id)) !== undefined
    },
    async changeTenant(id, { name, tier, settings, overrides, disabled }, write) {
      const change = statement(
        CHANGE,
        id,
        name ?? null,
        tier ?? null,
        settings === undefined ? null : JSON.stringify(settings),
        overrides === undefined ? null : JSON.stringify(overrides),
        disabled === undefined ? null : Number(disabled),
      )
      const row = await run('update', write, change, id)
      return row === undefined ? null : toTenant(row)
    },
    async removeTenant(id, write) {
      const remove = statement('DELETE FROM tenants WHERE id = ?1 RETURNING id', id)
      return (await run('delete', write, remove, id)) !== undefined
    },
  }
}

const toTenant = (row: SqlRow): TenantRecord => ({
  id: readText(row, 'id'),
  name: readText(row, 'name'),
  tier: readText(row, 'tier'),
  // Written through the reader of these fields, or by one who knows them.
  settings: parseObject(row['settings']) as TenantSettings,
  overrides: parseObject(row['overrides']),
  disabled: row['disabled'] !== 0,
  createdAt: readNumber(row, 'created_at'),
})
