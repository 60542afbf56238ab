// Reads `anthropic-ratelimit-*`. With suspicion: in recorded answers a reset often lies in the past, token counts are
// rounded, and a dimension may be missing.
import type { RateDimension, RateObservation } from '../admission/admission.ts'

interface HeaderSource {
  get(name: string): string | null | undefined
}

const DIMENSIONS = [
  ['requests', 'requests'],
  ['inputTokens', 'input-tokens'],
  ['outputTokens', 'output-tokens'],
  ['tokens', 'tokens'],
] as const

/** null where the answer says nothing. A reset that is over, or absurdly far, is no reset. */
export function parseRateObservation(headers: HeaderSource, now: number): RateObservation | null {
  const found = DIMENSIONS.flatMap(([field, name]) => {
    const dimension = readDimension(headers, `anthropic-ratelimit-${name}-`, now)
    return dimension === null ? [] : [[field, dimension] as const]
  })
  return found.length === 0 ? null : (Object.fromEntries(found) as RateObservation)
}

function readDimension(headers: HeaderSource, prefix: string, now: number): RateDimension | null {
  const limit = readCount(headers.get(`${prefix}limit`))
  const remaining = readCount(headers.get(`${prefix}remaining`))
  if (limit === null || remaining === null) return null
  return {
    limit,
    remaining: Math.min(remaining, limit),
    resetAt: readReset(headers.get(`${prefix}reset`), now),
  }
}

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/
/** The longest window that Claude has had is a day; what lies beyond is a mistake that would pause an account for ever. */
const FARTHEST_RESET_MS = 86_400_000

function readReset(text: string | null | undefined, now: number): number | null {
  const at = typeof text === 'string' && RFC_3339.test(text) ? Date.parse(text) : Number.NaN
  return at > now && at - now <= FARTHEST_RESET_MS ? at : null
}

const readCount = (text: string | null | undefined): number | null =>
  typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : null
