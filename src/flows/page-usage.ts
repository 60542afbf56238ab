// Usage rows as a list in pages: one for each tenant and value of the fields asked for, in their order.
import { type CountedUsage, type GroupField, sumBy } from '../core/money/usage-report.ts'
import type { Listed, Page, Place } from '../ports/admin.ts'

export function pageUsage(
  rows: readonly CountedUsage[],
  groupBy: readonly GroupField[],
  { limit, after }: Page,
): Listed<CountedUsage> {
  const placed = sumBy(rows, groupBy)
    .map((row) => ({ row, place: [row.tenant, ...groupBy.map((field) => row[field])] }))
    .toSorted((a, b) => comparePlaces(a.place, b.place))
  const left =
    after === null ? placed : placed.filter((each) => comparePlaces(each.place, after) > 0)
  const shown = left.slice(0, limit)
  return {
    data: shown.map(({ row }) => row),
    next: left.length > limit ? (shown.at(-1)?.place ?? null) : null,
  }
}

function comparePlaces(a: Place, b: Place): number {
  for (const [at, part] of a.entries()) {
    const other = b[at] ?? ''
    if (part !== other) return part < other ? -1 : 1
  }
  return 0
}
