// What a tenant may spend and has spent: its tier, what is left of its limits, and its usage by the fields asked for.
import { limitsOf } from '../core/money/ledger/limits-of.ts'
import { nextDayAt, nextMonthAt } from '../core/money/ledger/periods.ts'
import type { LedgerReport, PrefixReport, TokensLeft } from '../core/money/ledger/words.ts'
import type { Tier } from '../core/money/tier.ts'
import { type GroupField, showUsage } from '../core/money/usage-report.ts'
import type { Caller, LimitWindow, Services, UsageRow } from '../ports.ts'
import { renderList } from './admin/pages.ts'
import { pageUsage } from './page-usage.ts'
import { utcDay, type UsageQuery } from './usage-query.ts'

export async function reportUsage(services: Services, caller: Caller, query: UsageQuery) {
  const now = services.now()
  const today = utcDay(now)
  const monthStart = `${today.slice(0, 8)}01`
  const { groupBy } = query
  const [found, windows, ledger] = await Promise.all([
    services.usage.findUsage({
      tenant: caller.tenant,
      from: query.from < monthStart ? query.from : monthStart,
      to: query.to > today ? query.to : today,
      groupBy: [...new Set([...groupBy, ...neededOf(caller)])],
    }),
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
    ...showLedger(caller, ledger, now),
    spent_usd: { today: spent(today), month: spent(monthStart) },
    ...renderList(pageUsage(within, groupBy, query.page), (row) => showUsage(row, groupBy)),
  }
}

/** What must be known of a row beside what is shown: its day, and for a token whose it is. */
const neededOf = ({ token }: Caller): readonly GroupField[] =>
  token === undefined ? ['day'] : ['day', 'key', 'user']

/** A page is not told what others of its tenant spend: a token sees what its key spent for its user. */
const maySee = ({ keyId, token }: Caller, row: UsageRow): boolean =>
  token === undefined || (row.key === keyId && row.user === token.user)

const showLimits = (tier: Tier) => ({
  requests_per_minute: tier.requestsPerMinute,
  requests_per_hour: tier.requestsPerHour,
  max_concurrent: tier.maxConcurrent,
  input_tokens_per_minute: tier.inputTokensPerMinute,
  output_tokens_per_minute: tier.outputTokensPerMinute,
  budget_usd_per_day: tier.budgetUsdPerDay,
  budget_usd_per_month: tier.budgetUsdPerMonth,
})

/** What its tenant has left is none of a page's business. */
function showLedger({ tier, token }: Caller, ledger: LedgerReport, now: number) {
  if (token !== undefined) return { in_use: null, left: null, resets_at: null, prompt_cache: null }
  const { left } = ledger
  return {
    in_use: {
      concurrent: ledger.running,
      input_tokens_per_minute: ledger.inputTokensInMinute,
      output_tokens_per_minute: ledger.outputTokensInMinute,
    },
    left: {
      concurrent: left.concurrent,
      input_tokens_per_minute: left.inputTokens?.remaining ?? null,
      output_tokens_per_minute: left.outputTokens?.remaining ?? null,
      budget_usd_per_day: usdOf(left.dayNanoUsd),
      budget_usd_per_month: usdOf(left.monthNanoUsd),
    },
    resets_at: {
      input_tokens_per_minute: resetOf(left.inputTokens),
      output_tokens_per_minute: resetOf(left.outputTokens),
      budget_usd_per_day: tier.budgetUsdPerDay === null ? null : timeOf(nextDayAt(now)),
      budget_usd_per_month: tier.budgetUsdPerMonth === null ? null : timeOf(nextMonthAt(now)),
    },
    prompt_cache: ledger.prefixes.map(showPrefix),
  }
}

/** Where it is off, writes did not pay: when it will be tried again. */
const showPrefix = ({ model, offUntil }: PrefixReport) => ({
  model,
  state: offUntil === null ? 'on' : 'off',
  off_until: offUntil === null ? null : timeOf(offUntil),
})

const usdOf = (nanoUsd: number | null): number | null => (nanoUsd === null ? null : nanoUsd / 1e9)

const timeOf = (at: number): string => new Date(at).toISOString()

const resetOf = (tokens: TokensLeft | null): string | null =>
  tokens === null ? null : timeOf(tokens.resetAt)

const showWindow = (window: LimitWindow) => ({
  name: window.name,
  limit: window.limit,
  remaining: window.remaining,
  window_seconds: window.windowSeconds,
  reset_seconds: window.resetSeconds,
})
