// A tenant's usage: what D1 holds, and what the gates have not rolled up into it yet.
import type { Account } from '../../core/answering/account.ts'
import type { AccountDirectory, UsageReader } from '../../ports.ts'
import { type PendingUsageRow, readUsageOnce } from './usage-snapshot.ts'

/** The one call that this needs of a gate's stub. */
export interface PendingUsage {
  pendingUsage(tenant: string): Promise<readonly PendingUsageRow[]>
}

export const d1UsageReader = (
  db: D1Database,
  accounts: Pick<AccountDirectory, 'usable'>,
  gateOf: (account: Account) => PendingUsage,
): UsageReader => ({
  async findUsage(tenant, fromDay, toDay) {
    const pending = await Promise.all(
      (await accounts.usable()).map((account) => gateOf(account).pendingUsage(tenant)),
    )
    return readUsageOnce(db, { tenant, fromDay, toDay }, pending.flat())
  },
})
