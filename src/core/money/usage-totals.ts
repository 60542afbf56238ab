// Usage summed by who spent it, on what, on which day: the rows of the usage table, whole numbers only.
import type { UsageRecord } from './usage-record.ts'

export interface UsageTotals {
  readonly tenant: string
  /** UTC, `YYYY-MM-DD`. */
  readonly day: string
  readonly model: string
  readonly key: string
  readonly user: string
  requests: number
  inputTokens: number
  outputTokens: number
  cacheWriteTokens: number
  cacheReadTokens: number
  costNanoUsd: number
  savedNanoUsd: number
}

export const usageDay = (at: number): string => new Date(at).toISOString().slice(0, 10)

const toTotals = (record: UsageRecord): UsageTotals => ({
  tenant: record.tenant,
  day: usageDay(record.at),
  model: record.model,
  key: record.key,
  user: record.user,
  requests: record.requests ?? 1,
  inputTokens: record.inputTokens,
  outputTokens: record.outputTokens,
  cacheWriteTokens: record.cacheWriteTokens,
  cacheReadTokens: record.cacheReadTokens,
  costNanoUsd: record.costNanoUsd,
  savedNanoUsd: record.savedNanoUsd,
})

/** Any text may stand in a name, so the parts are joined in a form that keeps them apart. */
const identity = (row: UsageTotals): string =>
  JSON.stringify([row.tenant, row.day, row.model, row.key, row.user])

export function sumUsage(records: Iterable<UsageRecord>): UsageTotals[] {
  const sums = new Map<string, UsageTotals>()
  for (const record of records) {
    const row = toTotals(record)
    const sum = sums.get(identity(row))
    if (sum === undefined) sums.set(identity(row), row)
    else addTotals(sum, row)
  }
  return [...sums.values()]
}

const addTotals = (sum: UsageTotals, row: UsageTotals): void => {
  sum.requests += row.requests
  sum.inputTokens += row.inputTokens
  sum.outputTokens += row.outputTokens
  sum.cacheWriteTokens += row.cacheWriteTokens
  sum.cacheReadTokens += row.cacheReadTokens
  sum.costNanoUsd += row.costNanoUsd
  sum.savedNanoUsd += row.savedNanoUsd
}
