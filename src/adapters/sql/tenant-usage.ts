// One tenant's usage between two days, summed where it lies: a tenant may have more rows than an isolate may hold.
import { type GroupField, GROUP_FIELDS } from '../../core/money/usage-report.ts'

/** Binds a tenant, the first day and the last. The fields are of a closed list, so they may stand in the statement. */
export function tenantUsageSql(fields: readonly GroupField[]): string {
  // What is not asked for is empty, so that each row has every field.
  const columns = GROUP_FIELDS.map((field) => (fields.includes(field) ? field : `'' AS ${field}`))
  return `SELECT tenant, ${columns.join(', ')}, sum(requests) AS requests,
      sum(input_tokens) AS inputTokens, sum(output_tokens) AS outputTokens,
      sum(cache_write_tokens) AS cacheWriteTokens, sum(cache_read_tokens) AS cacheReadTokens,
      sum(cost_nano_usd) AS costNanoUsd, sum(saved_nano_usd) AS savedNanoUsd
    FROM usage WHERE tenant = ?1 AND day BETWEEN ?2 AND ?3
    GROUP BY ${['tenant', ...fields].join(', ')}`
}
