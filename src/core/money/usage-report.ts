// Adds usage rows up by the fields that a reader asks for, and gives them their names on the wire.

export const GROUP_FIELDS = ['day', 'model', 'key', 'user'] as const
export type GroupField = (typeof GROUP_FIELDS)[number]

export interface UsageCounts {
  readonly requests: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheWriteTokens: number
  readonly cacheReadTokens: number
  readonly costNanoUsd: number
  readonly savedNanoUsd: number
}

export interface CountedUsage extends UsageCounts {
  readonly tenant: string
  readonly day: string
  readonly model: string
  readonly key: string
  readonly user: string
}

/** A row as it is shown: money in US dollars, and only the fields that it was grouped by. */
export interface ShownUsage {
  readonly tenant: string
  readonly day?: string
  readonly model?: string
  readonly key?: string
  readonly user?: string
  readonly requests: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cache_write_tokens: number
  readonly cache_read_tokens: number
  readonly cost_usd: number
  readonly saved_usd: number
}

/** One row for each tenant and value of the fields; the other fields are those of any of its rows. */
export function sumBy(
  rows: readonly CountedUsage[],
  fields: readonly GroupField[],
): CountedUsage[] {
  const groups = new Map<string, CountedUsage>()
  for (const row of rows) {
    const name = JSON.stringify([row.tenant, ...fields.map((field) => row[field])])
    const sum = groups.get(name)
    groups.set(name, sum === undefined ? row : { ...row, ...addUsage(sum, row) })
  }
  return [...groups.values()]
}

export function addUsage(a: UsageCounts, b: UsageCounts): UsageCounts {
  return {
    requests: a.requests + b.requests,
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
    cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
    costNanoUsd: a.costNanoUsd + b.costNanoUsd,
    savedNanoUsd: a.savedNanoUsd + b.savedNanoUsd,
  }
}

export function showUsage(row: CountedUsage, fields: readonly GroupField[]): ShownUsage {
  return {
    tenant: row.tenant,
    ...Object.fromEntries(fields.map((field) => [field, row[field]])),
    requests: row.requests,
    input_tokens: row.inputTokens,
    output_tokens: row.outputTokens,
    cache_write_tokens: row.cacheWriteTokens,
    cache_read_tokens: row.cacheReadTokens,
    cost_usd: row.costNanoUsd / 1e9,
    saved_usd: row.savedNanoUsd / 1e9,
  }
}
