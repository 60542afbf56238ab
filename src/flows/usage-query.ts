// What a reader of usage asks for: days, fields to group by, a page. Refused with `invalid_request` that names the field.
import { GatewayError } from '../core/errors.ts'
import { type GroupField, GROUP_FIELDS } from '../core/money/usage-report.ts'
import type { Page } from '../ports/admin.ts'
import { parsePage } from './admin/pages.ts'

export interface UsageQuery {
  /** Days in UTC, inclusive. */
  readonly from: string
  readonly to: string
  readonly groupBy: readonly GroupField[]
  readonly page: Page
}

type Query = Readonly<Record<string, string>>

const DAY_MS = 86_400_000
const DEFAULT_DAYS = 31

export function parseUsageQuery(query: Query, now: number): UsageQuery {
  const to = query['to'] ?? utcDay(now)
  const from = query['from'] ?? utcDay(now - (DEFAULT_DAYS - 1) * DAY_MS)
  for (const [name, day] of [
    ['from', from],
    ['to', to],
  ] as const) {
    if (!isDay(day)) throw invalid(name, 'a day in UTC as YYYY-MM-DD')
  }
  if (from > to) throw invalid('from', 'a day that is not after `to`')
  const names = (query['group_by'] ?? 'day,model').split(',')
  if (!names.every(isGroupField)) throw invalid('group_by', GROUP_FIELDS.join(', '))
  const groupBy = [...new Set(names)]
  const page = parsePage(query, ['string', ...groupBy.map(() => 'string' as const)])
  return { from, to, groupBy, page }
}

export const utcDay = (at: number): string => new Date(at).toISOString().slice(0, 10)

const isGroupField = (name: string): name is GroupField =>
  GROUP_FIELDS.some((field) => field === name)

const isDay = (text: string): boolean =>
  /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`))

const invalid = (name: string, expected: string): GatewayError =>
  new GatewayError('invalid_request', `${name}: expected ${expected}`)
