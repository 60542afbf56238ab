// Reads `anthropic-ratelimit-*`. With suspicion: in recorded answers a reset often lies in the past, token counts are
// rounded, and a dimension may be missing.
import type { RateDimension, RateObservation } from '../admission/admission.ts'

interface HeaderSource {
  get(name: string): string | null
}

const DIMENSIONS = [
  ['requests', 'requests'],
  ['inputTokens', 'input-tokens'],
  ['outputTokens', 'output-tokens'],
  ['tokens', 'tokens'],
] as const

/** null where the answer says nothing. A reset that is over is no reset. */
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
  const resetAt = Date.parse(headers.get(`${prefix}reset`) ?? '')
  return { limit, remaining, resetAt: resetAt > now ? resetAt : null }
}

const readCount = (text: string | null): number | null =>
  text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null
