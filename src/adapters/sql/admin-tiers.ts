// Tiers as rows.
import type { Tier } from '../../core/money/tier.ts'
import { readTier } from '../../core/money/tier-fields.ts'
import type { TierRecords } from '../../ports/admin.ts'
import { readText, runAudited } from './audited.ts'
import { listPage } from './listed.ts'
import { type SqlSession, statement } from './session.ts'

const FIELDS = [
  'requests_per_minute',
  'requests_per_hour',
  'max_concurrent',
  'input_tokens_per_minute',
  'output_tokens_per_minute',
  'budget_usd_per_day',
  'budget_usd_per_month',
  'lane',
  'on_overload',
  'downgrade_to',
  'max_wait_ms',
] as const

const SNAPSHOT = `SELECT json_object('name', name, ${FIELDS.map((field) => `'${field}', ${field}`).join(', ')})
  FROM tiers WHERE name = ?1`

const PUT = `INSERT INTO tiers (name, ${FIELDS.join(', ')})
  VALUES (?1, ${FIELDS.map((_, at) => `?${at + 2}`).join(', ')})
  ON CONFLICT (name) DO UPDATE SET ${FIELDS.map((field) => `${field} = excluded.${field}`).join(', ')}`

export const tierRecords = (session: SqlSession): TierRecords => ({
  async findTier(name) {
    const [row] = await session.all('SELECT * FROM tiers WHERE name = ?1', name)
    return row === undefined ? null : readTier(row)
  },
  listTiers: (page) =>
    listPage(page, {
      rows: (limit, after) =>
        session.all(
          'SELECT * FROM tiers WHERE name > ?1 ORDER BY name LIMIT ?2',
          after?.[0] ?? '',
          limit,
        ),
      read: (row) => readTier(row),
      placeOf: (row) => [readText(row, 'name')],
    }),
  async putTier(tier, write) {
    const audit = { action: 'tier.put', target: tier.name, tenant: null, snapshotSql: SNAPSHOT }
    await runAudited(session, { write, audit }, [statement(PUT, tier.name, ...valuesOf(tier))])
  },
})

const valuesOf = (tier: Tier) => [
  tier.requestsPerMinute,
  tier.requestsPerHour,
  tier.maxConcurrent,
  tier.inputTokensPerMinute,
  tier.outputTokensPerMinute,
  tier.budgetUsdPerDay,
  tier.budgetUsdPerMonth,
  tier.lane,
  tier.onOverload,
  tier.downgradeTo,
  tier.maxWaitMs,
]
