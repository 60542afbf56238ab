// What a tenant may spend and has spent: its tier, what is left of its windows, and its usage by the fields asked for.
import { type GroupField, GROUP_FIELDS, groupUsage } from '../core/money/usage-report.ts'
import { limitsOf } from '../core/money/ledger/limits-of.ts'
import type { LedgerLeft, PrefixReport } from '../core/money/ledger/words.ts'
import type { Tier } from '../core/money/tier.ts'
import { GatewayError } from '../core/errors.ts'
import type { Caller, LimitWindow, Services, UsageRow } from '../ports.ts'

export interface UsageQuery {
  /** Days in UTC, inclusive. */
  readonly from: string
  readonly to: string
  readonly groupBy: readonly GroupField[]
}

const DAY_MS = 86_400_000
const DEFAULT_DAYS = 31

export async function reportUsage(services: Services, caller: Caller, query: UsageQuery) {
  const today = dayOf(services.now())
  const monthStart = `${today.slice(0, 8)}01`
  const first = query.from < monthStart ? query.from : monthStart
  const last = query.to > today ? query.to : today
  const [found, windows, ledger] = await Promise.all([
    services.usage.findUsage(caller.tenant, first, last),
    services.limits.peek(caller),
    services.ledgers.report(caller.tenant, limitsOf(caller.tier)),
  ])
  const rows = found.filter((row) => maySee(caller, row))
  const within = rows.filter((row) => row.day >= query.from && row.day <= query.to)
  const spent = (from: string) =>
    rows
      .filter((row) => row.day >= from && row.day <= today)
      .reduce((sum, row) => sum + row.costNanoUsd, 0) / 1e9
  return {
    tenant: caller.tenant,
    tier: caller.tier.name,
    limits: showLimits(caller.tier),
    remaining: windows.map(showWindow),
    // What its tenant has left is none of a page's business.
    left: caller.token === undefined ? showLeft(ledger.left) : null,
    prompt_cache: caller.token === undefined ? ledger.prefixes.map(showPrefix) : null,
    spent_usd: { today: spent(today), month: spent(monthStart) },
    data: groupUsage(within, query.groupBy),
    has_more: false,
    next_page: null,
  }
}

/** A page is not told what others of its tenant spend: a token sees what its key spent for its user. */
const maySee = ({ keyId, token }: Caller, row: UsageRow): boolean =>
  token === undefined || (row.key === keyId && row.user === token.user)

/** Throws `invalid_request` that names the field. */
export function parseUsageQuery(query: Readonly<Record<string, string>>, now: number): UsageQuery {
  const to = query['to'] ?? dayOf(now)
  const from = query['from'] ?? dayOf(now - (DEFAULT_DAYS - 1) * DAY_MS)
  for (const [name, day] of [
    ['from', from],
    ['to', to],
  ] as const) {
    if (!isDay(day)) throw invalid(name, 'a day in UTC as YYYY-MM-DD')
  }
  if (from > to) throw invalid('from', 'a day that is not after `to`')
  const groupBy = (query['group_by'] ?? 'day,model').split(',')
  if (!groupBy.every(isGroupField)) throw invalid('group_by', GROUP_FIELDS.join(', '))
  return { from, to, groupBy }
}

const isGroupField = (name: string): name is GroupField =>
  GROUP_FIELDS.some((field) => field === name)

const isDay = (text: string): boolean =>
  /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`))

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10)

const invalid = (name: string, expected: string): GatewayError =>
  new GatewayError('invalid_request', `${name}: expected ${expected}`)

const showLimits = (tier: Tier) => ({
  requests_per_minute: tier.requestsPerMinute,
  requests_per_hour: tier.requestsPerHour,
  max_concurrent: tier.maxConcurrent,
  input_tokens_per_minute: tier.inputTokensPerMinute,
  output_tokens_per_minute: tier.outputTokensPerMinute,
  budget_usd_per_day: tier.budgetUsdPerDay,
  budget_usd_per_month: tier.budgetUsdPerMonth,
})

const showLeft = (left: LedgerLeft) => ({
  concurrent: left.concurrent,
  input_tokens_per_minute: left.inputTokens?.remaining ?? null,
  output_tokens_per_minute: left.outputTokens?.remaining ?? null,
  budget_usd_per_day: usdOf(left.dayNanoUsd),
  budget_usd_per_month: usdOf(left.monthNanoUsd),
})

/** Where it is off, writes did not pay: when it will be tried again. */
const showPrefix = ({ model, offUntil }: PrefixReport) => ({
  model,
  state: offUntil === null ? 'on' : 'off',
  off_until: offUntil === null ? null : new Date(offUntil).toISOString(),
})

const usdOf = (nanoUsd: number | null): number | null => (nanoUsd === null ? null : nanoUsd / 1e9)

const showWindow = (window: LimitWindow) => ({
  name: window.name,
  limit: window.limit,
  remaining: window.remaining,
  window_seconds: window.windowSeconds,
  reset_seconds: window.resetSeconds,
})
