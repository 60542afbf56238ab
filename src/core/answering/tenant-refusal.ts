// A tenant's own limits refuse a call: every one of them is named, with the time at which it has room again, and the
// caller is told the reason that decides whether trying again makes sense.
import { GatewayError, type Reason } from '../errors.ts'
import type { LimitName, LimitRefusal } from '../money/ledger/words.ts'

export interface ToldLimit {
  readonly reason: Reason
  /** In words, such as `10 requests a minute`. */
  readonly limit: string
  /** Epoch ms; null: not by waiting. */
  readonly retryAt: number | null
}

const reasons: Readonly<Record<LimitName, Reason>> = {
  concurrency: 'tenant_concurrency',
  input_tokens: 'tenant_input_tokens',
  output_tokens: 'tenant_output_tokens',
  budget_day: 'budget_exhausted',
  budget_month: 'budget_exhausted',
  token_budget: 'budget_exhausted',
  token_requests: 'token_expired',
}

const words: Readonly<Record<LimitName, (limit: number) => string>> = {
  concurrency: (limit) => `${limit} calls at a time`,
  input_tokens: (limit) => `${limit} input tokens a minute`,
  output_tokens: (limit) => `${limit} output tokens a minute`,
  budget_day: (limit) => `${usd(limit)} a day`,
  budget_month: (limit) => `${usd(limit)} a month`,
  token_budget: (limit) => `${usd(limit)} for this token`,
  token_requests: (limit) => `${limit} requests for this token`,
}

const usd = (nanoUsd: number): string => `$${nanoUsd / 1e9}`

export const toldLimit = ({ name, limit, retryAt }: LimitRefusal): ToldLimit => ({
  reason: reasons[name],
  limit: words[name](limit),
  retryAt,
})

/** Waiting mends neither; what it mends is told only where nothing else is in the way. */
const FINAL: readonly Reason[] = ['budget_exhausted', 'token_expired']

const leads: Partial<Record<Reason, string>> = {
  budget_exhausted: 'The budget is used up',
  token_expired: 'This token is used up',
}

/** @param told at least one */
export function refusalOfTenant(
  told: readonly ToldLimit[],
  now: number,
  headers: Readonly<Record<string, string>> = {},
): GatewayError {
  const times = told.flatMap(({ retryAt }) => (retryAt === null ? [] : [retryAt]))
  const latest = Math.max(...times)
  const final = FINAL.find((reason) => told.some((each) => each.reason === reason))
  const slowest = told.find(({ retryAt }) => retryAt === latest) ?? told[0]
  const reason = final ?? slowest?.reason ?? 'tenant_requests'
  const lead = leads[reason] ?? 'Rate limit reached'
  return new GatewayError(reason, `${lead}: ${told.map(describe).join(', ')}`, {
    // Once it is over, nothing that is known now refuses.
    retryAfterMs: final !== undefined || times.length === 0 ? null : Math.max(0, latest - now),
    headers,
    details: {
      limits: told.map((each) => ({
        reason: each.reason,
        limit: each.limit,
        retry_at: each.retryAt === null ? null : new Date(each.retryAt).toISOString(),
      })),
    },
  })
}

const describe = ({ limit, retryAt }: ToldLimit): string =>
  retryAt === null ? limit : `${limit} (until ${new Date(retryAt).toISOString()})`
