// A tenant's usage: what D1 holds, and what the gates have not rolled up into it yet.
import type { Account } from '../../core/answering/account.ts'
import type { UsageReader, UsageRow } from '../../ports.ts'

/** The one call that this needs of a gate's stub. */
export interface PendingUsage {
  pendingUsage(tenant: string): Promise<readonly UsageRow[]>
}

interface StoredRow {
  tenant: string
  day: string
  model: string
  key: string
  user: string
  requests: number
  input_tokens: number
  output_tokens: number
  cache_write_tokens: number
  cache_read_tokens: number
  cost_nano_usd: number
  saved_nano_usd: number
}

export const d1UsageReader = (
  db: D1Database,
  accounts: readonly Account[],
  gateOf: (account: Account) => PendingUsage,
): UsageReader => ({
  async findUsage(tenant, fromDay, toDay) {
    // Pending rows first: one that moves to D1 in between is then seen twice at most by this order's twin, the
    // other order could miss it. The gates delete a row only after D1 holds it.
    const pending = await Promise.all(
      accounts.map((account) => gateOf(account).pendingUsage(tenant)),
    )
    const { results } = await db
      .withSession('first-primary')
      .prepare('SELECT * FROM usage WHERE tenant = ? AND day BETWEEN ? AND ? ORDER BY day')
      .bind(tenant, fromDay, toDay)
      .all<StoredRow>()
    const fresh = pending.flat().filter((row) => row.day >= fromDay && row.day <= toDay)
    return [...results.map(readRow), ...fresh]
  },
})

const readRow = (row: StoredRow): UsageRow => ({
  tenant: row.tenant,
  day: row.day,
  model: row.model,
  key: row.key,
  user: row.user,
  requests: row.requests,
  inputTokens: row.input_tokens,
  outputTokens: row.output_tokens,
  cacheWriteTokens: row.cache_write_tokens,
  cacheReadTokens: row.cache_read_tokens,
  costNanoUsd: row.cost_nano_usd,
  savedNanoUsd: row.saved_nano_usd,
})
