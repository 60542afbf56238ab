// A tenant's usage, each call once, though it moves from the gates to D1 while it is read: every pending row names
// the flush that it will arrive with, and D1 tells in one transaction what it holds and which flushes those were.
import type { UsageRow } from '../../ports.ts'

/** A row of a gate's outbox; it is in D1 exactly if its flush is. */
export interface PendingUsageRow extends UsageRow {
  readonly flush: string
}

export interface UsageQuery {
  readonly tenant: string
  readonly fromDay: string
  readonly toDay: string
}

const ROWS = `
  SELECT tenant, day, model, key, user, requests, input_tokens AS inputTokens, output_tokens AS outputTokens,
    cache_write_tokens AS cacheWriteTokens, cache_read_tokens AS cacheReadTokens,
    cost_nano_usd AS costNanoUsd, saved_nano_usd AS savedNanoUsd
  FROM usage WHERE tenant = ? AND day BETWEEN ? AND ? ORDER BY day`

/** `pending` must have been read from the gates before this is called. */
export async function readUsageOnce(
  db: Pick<D1Database, 'prepare' | 'batch'>,
  query: UsageQuery,
  pending: readonly PendingUsageRow[],
): Promise<UsageRow[]> {
  const { tenant, fromDay, toDay } = query
  const flushes = JSON.stringify([...new Set(pending.map(({ flush }) => flush))])
  const [stored, arrived] = await db.batch<UsageRow | { id: string }>([
    db.prepare(ROWS).bind(tenant, fromDay, toDay),
    db
      .prepare('SELECT id FROM usage_flushes WHERE id IN (SELECT value FROM json_each(?))')
      .bind(flushes),
  ])
  const known = new Set(arrived?.results.flatMap((row) => ('id' in row ? [row.id] : [])))
  const missing = pending.filter(
    ({ flush, day }) => !known.has(flush) && day >= fromDay && day <= toDay,
  )
  const rows = stored?.results.flatMap((row) => ('id' in row ? [] : [row])) ?? []
  return [...rows, ...missing.map(({ flush: _flush, ...row }) => row)]
}
