// A tenant's usage, each call once, though it moves from its ledger to D1 while it is read: every pending row names
// the flush that it will arrive with, and D1 tells in one transaction what it holds and which flushes those were.
import type { TenantSpan, UsageRow } from '../../ports.ts'
import { tenantUsageSql } from '../sql/tenant-usage.ts'

/** A row of a ledger's outbox; it is in D1 exactly if its flush is. */
export interface PendingUsageRow extends UsageRow {
  readonly flush: string
}

/** `pending` must have been read from the ledger before this is called. */
export async function readUsageOnce(
  db: Pick<D1Database, 'prepare' | 'batch'>,
  span: TenantSpan,
  pending: readonly PendingUsageRow[],
): Promise<UsageRow[]> {
  const { tenant, from, to, groupBy } = span
  const flushes = JSON.stringify([...new Set(pending.map(({ flush }) => flush))])
  const [stored, arrived] = await db.batch<UsageRow | { id: string }>([
    db.prepare(tenantUsageSql(groupBy)).bind(tenant, from, to),
    db
      .prepare('SELECT id FROM usage_flushes WHERE id IN (SELECT value FROM json_each(?))')
      .bind(flushes),
  ])
  const known = new Set(arrived?.results.flatMap((row) => ('id' in row ? [row.id] : [])))
  const missing = pending.filter(({ flush, day }) => !known.has(flush) && day >= from && day <= to)
  const rows = stored?.results.flatMap((row) => ('id' in row ? [] : [row])) ?? []
  return [...rows, ...missing.map(({ flush: _flush, ...row }) => row)]
}
