// Usage as it was rolled up, of one tenant or of all, summed by the fields asked for.
import type { GroupField, CountedUsage } from '../../core/money/usage-report.ts'
import type { UsageRecords, UsageSpan } from '../../ports/admin.ts'
import { readNumber, readText } from './audited.ts'
import { listPage } from './listed.ts'
import type { SqlRow, SqlSession, SqlValue } from './session.ts'

const SUMS = [
  'requests',
  'input_tokens',
  'output_tokens',
  'cache_write_tokens',
  'cache_read_tokens',
  'cost_nano_usd',
  'saved_nano_usd',
] as const

export const usageRecords = (session: SqlSession): UsageRecords => ({
  sumUsage: (span, page) =>
    listPage(page, {
      rows: (limit, after) =>
        session.all(sumSql(span, after !== null), ...valuesOf(span, limit, after)),
      read: (row) => toUsage(row, span.groupBy),
      placeOf: (row) => ['tenant', ...span.groupBy].map((field) => readText(row, field)),
    }),
})

/** The fields are of a closed list, so they may stand in the statement. */
function sumSql({ groupBy, tenant }: UsageSpan, goesOn: boolean): string {
  const fields = ['tenant', ...groupBy]
  const names = fields.join(', ')
  const place = fields.map((_, at) => `?${at + (tenant === null ? 4 : 5)}`).join(', ')
  const sums = SUMS.map((column) => `sum(${column}) AS ${column}`).join(', ')
  return `SELECT ${names}, ${sums} FROM usage WHERE day BETWEEN ?1 AND ?2
    ${tenant === null ? '' : 'AND tenant = ?4'} ${goesOn ? `AND (${names}) > (${place})` : ''} GROUP BY ${names} ORDER BY ${names} LIMIT ?3`
}

const valuesOf = (
  { from, to, tenant }: UsageSpan,
  limit: number,
  after: readonly SqlValue[] | null,
): SqlValue[] => [from, to, limit, ...(tenant === null ? [] : [tenant]), ...(after ?? [])]

/** A field that was not asked for is empty, and not shown. */
function toUsage(row: SqlRow, groupBy: readonly GroupField[]): CountedUsage {
  const field = (name: GroupField) => (groupBy.includes(name) ? readText(row, name) : '')
  return {
    tenant: readText(row, 'tenant'),
    day: field('day'),
    model: field('model'),
    key: field('key'),
    user: field('user'),
    requests: readNumber(row, 'requests'),
    inputTokens: readNumber(row, 'input_tokens'),
    outputTokens: readNumber(row, 'output_tokens'),
    cacheWriteTokens: readNumber(row, 'cache_write_tokens'),
    cacheReadTokens: readNumber(row, 'cache_read_tokens'),
    costNanoUsd: readNumber(row, 'cost_nano_usd'),
    savedNanoUsd: readNumber(row, 'saved_nano_usd'),
  }
}
