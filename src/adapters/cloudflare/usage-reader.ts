// A tenant's usage: what D1 holds, and what its ledger has not rolled up into it yet.
import { GatewayError } from '../../core/errors.ts'
import type { UsageReader } from '../../ports.ts'
import { unreachable } from './ledgers.ts'
import { type PendingUsageRow, readUsageOnce } from './usage-snapshot.ts'

/** The one call that this needs of a ledger's stub. */
export interface PendingUsage {
  pendingUsage(tenant: string): Promise<readonly PendingUsageRow[]>
}

const readPending = async (ledger: PendingUsage, tenant: string) => {
  try {
    return await ledger.pendingUsage(tenant)
  } catch (cause) {
    throw unreachable(cause)
  }
}

export const d1UsageReader = (
  db: D1Database,
  ledgerOf: (tenant: string) => PendingUsage,
): UsageReader => ({
  async findUsage(span) {
    const pending = await readPending(ledgerOf(span.tenant), span.tenant)
    return readUsageOnce(db, span, pending).catch((cause: unknown) => {
      throw new GatewayError('store_unavailable', 'The store of usage cannot be reached', { cause })
    })
  },
})
