// What was used, by the fields asked for. One tenant's usage is exact to the last call; over all tenants it is what
// has been rolled up, since what is on its way lies with each tenant's own ledger.
import { type CountedUsage, sumBy } from '../../core/money/usage-report.ts'
import type { AdminSession, Listed, Page, Place, UsageSpan } from '../../ports/admin.ts'
import type { UsageReader } from '../../ports.ts'

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
  const rows = sumBy(await usage.findUsage(tenant, span.from, span.to), span.groupBy)
  const placed = rows
    .map((row) => ({ row, place: placeOf(row, span) }))
    .toSorted((a, b) => comparePlaces(a.place, b.place))
  const { after } = page
  const left =
    after === null ? placed : placed.filter((each) => comparePlaces(each.place, after) > 0)
  const shown = left.slice(0, page.limit)
  return {
    data: shown.map(({ row }) => row),
    next: left.length > page.limit ? (shown.at(-1)?.place ?? null) : null,
  }
}

const placeOf = (row: CountedUsage, { groupBy }: UsageSpan): readonly string[] => [
  row.tenant,
  ...groupBy.map((field) => row[field]),
]

function comparePlaces(a: Place, b: Place): number {
  for (const [at, part] of a.entries()) {
    const other = b[at] ?? ''
    if (part !== other) return part < other ? -1 : 1
  }
  return 0
}
