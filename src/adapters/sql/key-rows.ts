// Keys, tenants and tiers in SQL: the questions, and how a row of the answer becomes what the flows see.
// Shared by every adapter over the same schema (migrations/).
import { readTier } from '../../core/money/tier-fields.ts'
import type { Caller, StoredKey } from '../../ports.ts'

/** One row by the key's id: its key, its tenant and its tier. The tier's columns keep their own names. */
export const FIND_KEY_SQL = `
  SELECT key.id AS key_id, key.secret_hash, key.expires_at, key.models, key.origins,
    key.disabled AS key_disabled, tenant.id AS tenant_id, tenant.settings, tenant.overrides,
    tenant.disabled AS tenant_disabled, tier.*
  FROM keys AS key
  JOIN tenants AS tenant ON tenant.id = key.tenant
  JOIN tiers AS tier ON tier.name = tenant.tier
  WHERE key.id = ?1`

/** One row where some tenant or key that is not disabled allows the origin. A key's list replaces its tenant's. */
export const ALLOWS_ORIGIN_SQL = `
  SELECT 1 AS allowed FROM tenants, json_each(tenants.settings, '$.origins') AS entry
  WHERE json_type(settings, '$.origins') = 'array' AND disabled = 0 AND entry.value IN (?1, '*')
  UNION ALL
  SELECT 1 FROM keys, json_each(keys.origins) AS entry
  WHERE origins IS NOT NULL AND disabled = 0 AND entry.value IN (?1, '*')
  LIMIT 1`

export type Row = Readonly<Record<string, unknown>>

/** Throws on a row that does not say clearly what its caller may do. */
export function toStoredKey(row: Row): StoredKey {
  const settings = readObject(row, 'settings')
  return {
    tenant: readText(row, 'tenant_id'),
    keyId: readText(row, 'key_id'),
    tier: readTier(row, readObject(row, 'overrides')),
    models: readList(parseJson(row['models'])),
    origins: readList(parseJson(row['origins'])) ?? readList(settings['origins'] ?? null),
    limitsFail: readLimitsFail(settings['limits_fail']),
    secretHash: readText(row, 'secret_hash'),
    disabled: row['key_disabled'] !== 0,
    tenantDisabled: row['tenant_disabled'] !== 0,
    expiresAt: readTime(row['expires_at']),
  }
}

function readText(row: Row, column: string): string {
  const text = row[column]
  if (typeof text !== 'string') throw new TypeError(`column ${column} is not text`)
  return text
}

function readObject(row: Row, column: string): Row {
  const object = parseJson(row[column])
  if (typeof object !== 'object' || object === null || Array.isArray(object)) {
    throw new TypeError(`column ${column} is not a JSON object`)
  }
  return Object.fromEntries(Object.entries(object))
}

function parseJson(text: unknown): unknown {
  return typeof text === 'string' ? JSON.parse(text) : null
}

function readList(list: unknown): readonly string[] | null {
  if (list === null) return null
  if (!Array.isArray(list) || !list.every((entry) => typeof entry === 'string')) {
    throw new TypeError('a list of models or origins is not a list of texts')
  }
  return list
}

function readLimitsFail(setting: unknown): Caller['limitsFail'] {
  return setting === 'open' || setting === 'closed' ? setting : 'count'
}

function readTime(time: unknown): number | null {
  if (time !== null && typeof time !== 'number') throw new TypeError('a time is not a number')
  return time
}
