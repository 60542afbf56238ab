// What was used, by the fields asked for. One tenant's usage is exact to the last call; over all tenants it is what
// has been rolled up, since what is on its way lies with each tenant's own ledger.
import type { CountedUsage } from '../../core/money/usage-report.ts'
import type { AdminSession, Listed, Page, UsageSpan } from '../../ports/admin.ts'
import type { UsageReader } from '../../ports.ts'
import { pageUsage } from '../page-usage.ts'

export interface UsageSource {
  readonly usage: UsageReader
  readonly session: AdminSession
}

export async function listUsage(
  { usage, session }: UsageSource,
  span: UsageSpan,
  page: Page,
): Promise<Listed<CountedUsage>> {
  const { tenant } = span
  // Only one that is there has a ledger: asking for any other would make one.
  if (tenant === null || (await session.findTenant(tenant)) === null) {
    return session.sumUsage(span, page)
  }
  return pageUsage(await usage.findUsage({ ...span, tenant }), span.groupBy, page)
}
