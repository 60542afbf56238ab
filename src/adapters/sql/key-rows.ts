// Keys, tenants and tiers in SQL: the questions, and how a row of the answer becomes what the flows see.
// Shared by every adapter over the same schema (migrations/).
import { readTier } from '../../core/money/tier-fields.ts'
import type { Caller, StoredKey } from '../../ports.ts'

/** One row by the key's id: its key, its tenant and its tier. The tier's columns keep their own names. */
export const FIND_KEY_SQL = `
  SELECT key.id AS key_id, key.secret_hash, key.expires_at, key.models, key.origins, key.ips,
    key.previous_hash, key.previous_expires_at,
    key.disabled AS key_disabled, tenant.id AS tenant_id, tenant.settings, tenant.overrides,
    tenant.disabled AS tenant_disabled, tier.*
  FROM keys AS key
  JOIN tenants AS tenant ON tenant.id = key.tenant
  JOIN tiers AS tier ON tier.name = tenant.tier
  WHERE key.id = ?1`

/**
 * One row where some tenant or key that is not disabled, or a living token, allows the origin. A key's list replaces
 * its tenant's. The values are the origin and the time.
 */
export const ALLOWS_ORIGIN_SQL = `
  SELECT 1 AS allowed FROM allowed_origins WHERE origin IN (?1, '*')
  UNION ALL
  SELECT 1 FROM token_origins WHERE origin = ?1 AND expires_at > ?2
  LIMIT 1`

/** The values are the origin and until when. */
export const ALLOW_ORIGIN_SQL = `
  INSERT INTO token_origins (origin, expires_at) VALUES (?1, ?2)
  ON CONFLICT (origin) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)`

/** The value is the time. */
export const FORGET_ORIGINS_SQL = 'DELETE FROM token_origins WHERE expires_at <= ?1'

/** The values are the key's id, its hash, the new one, and the time. */
export const REPLACE_HASH_SQL = `
  UPDATE keys SET secret_hash = ?3, rehashed_at = ?4 WHERE id = ?1 AND secret_hash = ?2`

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
    ips: readList(parseJson(row['ips'])),
    autoPromptCache: readPromptCache(settings['auto_prompt_cache']),
    cacheTtlSeconds: readSeconds(settings['cache_ttl_seconds']),
    secretHash: readText(row, 'secret_hash'),
    disabled: row['key_disabled'] !== 0,
    tenantDisabled: row['tenant_disabled'] !== 0,
    expiresAt: readTime(row['expires_at']),
    former: readFormer(row),
  }
}

/** Sessions unless it says no; what a caller sent by itself only where it says yes (decision 16). */
function readPromptCache(value: unknown): StoredKey['autoPromptCache'] {
  if (value === true) return 'all'
  return value === false ? 'off' : 'sessions'
}

function readFormer(row: Row): StoredKey['former'] {
  const until = readTime(row['previous_expires_at'])
  return until === null ? null : { secretHash: readText(row, 'previous_hash'), until }
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
    throw new TypeError('a list of models, origins or addresses is not a list of texts')
  }
  return list
}

function readLimitsFail(setting: unknown): Caller['limitsFail'] {
  return setting === 'open' || setting === 'closed' ? setting : 'count'
}

const readSeconds = (setting: unknown): number | null =>
  typeof setting === 'number' && setting >= 1 ? setting : null

function readTime(time: unknown): number | null {
  if (time !== null && typeof time !== 'number') throw new TypeError('a time is not a number')
  return time
}
