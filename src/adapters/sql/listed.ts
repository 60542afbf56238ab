// One page of a list: reads one row more than asked for, to know whether there is a next page.
import type { Listed, Page, Place } from '../../ports/admin.ts'
import type { SqlRow } from './session.ts'

export interface ListQuery<T> {
  /** Asked for `limit` rows after the place. */
  rows(limit: number, after: Place | null): Promise<readonly SqlRow[]>
  read(row: SqlRow): T
  placeOf(row: SqlRow): Place
}

export async function listPage<T>(page: Page, query: ListQuery<T>): Promise<Listed<T>> {
  const rows = await query.rows(page.limit + 1, page.after)
  const shown = rows.slice(0, page.limit)
  const last = shown.at(-1)
  const next = rows.length > page.limit && last !== undefined ? query.placeOf(last) : null
  return { data: shown.map((row) => query.read(row)), next }
}
