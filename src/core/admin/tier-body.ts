// A tier as an operator writes it. What is left out is unlimited; a tier that downgrades must say to what.
import type { OverloadPolicy, Tier } from '../money/tier.ts'
import type { Lane } from '../admission/admission.ts'
import { readTier } from '../money/tier-fields.ts'
import {
  anyNumber,
  matching,
  nullable,
  object,
  oneOf,
  type Reader,
  text,
  wholeNumber,
} from './fields.ts'

const MAX_REQUESTS = 1_000_000_000
const MAX_TOKENS = 1_000_000_000_000
const MAX_USD = 1_000_000_000
const MAX_WAIT_MS = 900_000

const requests = nullable(wholeNumber({ min: 1, max: MAX_REQUESTS }))
const tokens = nullable(wholeNumber({ min: 1, max: MAX_TOKENS }))
const usd = nullable(anyNumber({ min: 0, max: MAX_USD }))

/** The fields of a tier that a tenant may override. */
export const TIER_FIELDS = {
  requests_per_minute: requests,
  requests_per_hour: requests,
  max_concurrent: requests,
  input_tokens_per_minute: tokens,
  output_tokens_per_minute: tokens,
  budget_usd_per_day: usd,
  budget_usd_per_month: usd,
  lane: oneOf<Lane>(['high', 'normal', 'low']),
  on_overload: oneOf<OverloadPolicy>(['reject', 'wait', 'queue', 'downgrade']),
  downgrade_to: nullable(text({ min: 1, max: 128 })),
  max_wait_ms: nullable(wholeNumber({ min: 0, max: MAX_WAIT_MS })),
}

export const tierName = matching(
  /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/,
  'a name of 1 to 64 letters, digits, - and _',
)

const LEFT_OUT = {
  requests_per_minute: null,
  requests_per_hour: null,
  max_concurrent: null,
  input_tokens_per_minute: null,
  output_tokens_per_minute: null,
  budget_usd_per_day: null,
  budget_usd_per_month: null,
  lane: 'normal',
  on_overload: 'reject',
  downgrade_to: null,
  max_wait_ms: null,
}

const fields = object({ name: tierName, ...TIER_FIELDS })

/** The body of a PUT; its name, if there, must be the path's. */
export const tierBody =
  (name: string): Reader<Tier> =>
  (input, at, problems) => {
    const read = fields(input, at, problems)
    if (read === undefined) return undefined
    if (read.name !== undefined && read.name !== name) {
      problems.push('name: expected the name in the path')
    }
    if (read.on_overload === 'downgrade' && (read.downgrade_to ?? null) === null) {
      problems.push('downgrade_to: expected a model, since on_overload is downgrade')
    }
    return readTier({ ...LEFT_OUT, ...read, name })
  }

export const showTier = (tier: Tier) => ({
  name: tier.name,
  requests_per_minute: tier.requestsPerMinute,
  requests_per_hour: tier.requestsPerHour,
  max_concurrent: tier.maxConcurrent,
  input_tokens_per_minute: tier.inputTokensPerMinute,
  output_tokens_per_minute: tier.outputTokensPerMinute,
  budget_usd_per_day: tier.budgetUsdPerDay,
  budget_usd_per_month: tier.budgetUsdPerMonth,
  lane: tier.lane,
  on_overload: tier.onOverload,
  downgrade_to: tier.downgradeTo,
  max_wait_ms: tier.maxWaitMs,
})
