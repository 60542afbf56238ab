// A tier as it is stored and as the admin API shows it, read into ours. A tenant's overrides are fields of a
// tier, laid over their tier's before it is read.
import type { Lane } from '../admission/admission.ts'
import type { OverloadPolicy, Tier } from './tier.ts'

const LANES: readonly Lane[] = ['high', 'normal', 'low']
const POLICIES: readonly OverloadPolicy[] = ['reject', 'wait', 'queue', 'downgrade']

type Fields = Readonly<Record<string, unknown>>

export class TierError extends Error {
  override readonly name = 'TierError'
}

/** Throws TierError on a field that cannot be a limit: a limit that is not understood must not be no limit. */
export function readTier(fields: Fields, overrides: Fields = {}): Tier {
  const all: Fields = { ...fields, ...overrides, name: fields['name'] }
  return {
    name: readText(all, 'name'),
    requestsPerMinute: readLimit(all, 'requests_per_minute'),
    requestsPerHour: readLimit(all, 'requests_per_hour'),
    maxConcurrent: readLimit(all, 'max_concurrent'),
    inputTokensPerMinute: readLimit(all, 'input_tokens_per_minute'),
    outputTokensPerMinute: readLimit(all, 'output_tokens_per_minute'),
    budgetUsdPerDay: readNumber(all, 'budget_usd_per_day'),
    budgetUsdPerMonth: readNumber(all, 'budget_usd_per_month'),
    lane: readOneOf(all, 'lane', LANES),
    onOverload: readOneOf(all, 'on_overload', POLICIES),
    downgradeTo: all['downgrade_to'] === null ? null : readText(all, 'downgrade_to'),
    maxWaitMs: readLimit(all, 'max_wait_ms'),
  }
}

function readLimit(fields: Fields, field: string): number | null {
  const limit = readNumber(fields, field)
  if (limit !== null && !Number.isSafeInteger(limit)) throw unreadable(field)
  return limit
}

function readNumber(fields: Fields, field: string): number | null {
  const value = fields[field]
  if (value === null) return null
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw unreadable(field)
  return value
}

function readText(fields: Fields, field: string): string {
  const value = fields[field]
  if (typeof value !== 'string' || value === '') throw unreadable(field)
  return value
}

function readOneOf<T extends string>(fields: Fields, field: string, values: readonly T[]): T {
  const found = values.find((value) => value === fields[field])
  if (found === undefined) throw unreadable(field)
  return found
}

function unreadable(field: string): TierError {
  return new TierError(`a tier's ${field} cannot be read`)
}
