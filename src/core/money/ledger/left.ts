// What a tenant has left of each limit, and what it has spent: for its headers and its usage report.
import type { Ledger } from './ledger-state.ts'
import { dayOf, monthOf } from './periods.ts'
import { prefixOffUntil } from './prefix-worth.ts'
import { sumOutput } from './reserve.ts'
import { type TokenWindow, wholeWindowFrom, whenUsedIsAtMost } from './token-window.ts'
import type { LedgerLeft, LedgerLimits, LedgerReport, TokensLeft } from './words.ts'

export function leftOf(ledger: Ledger, limits: LedgerLimits, now: number): LedgerLeft {
  const { maxConcurrent, inputTokensPerMinute, outputTokensPerMinute } = limits
  const spentDay = ledger.days.get(dayOf(now)) ?? 0
  const spentMonth = ledger.months.get(monthOf(now)) ?? 0
  return {
    concurrent: maxConcurrent === null ? null : Math.max(0, maxConcurrent - ledger.leases.size),
    inputTokens: tokensLeft(inputTokensPerMinute, ledger.input, 0, now),
    outputTokens:
      outputTokensPerMinute === null
        ? null
        : tokensLeft(outputTokensPerMinute, ledger.output, sumOutput(ledger), now),
    dayNanoUsd: limits.dayNanoUsd === null ? null : Math.max(0, limits.dayNanoUsd - spentDay),
    monthNanoUsd:
      limits.monthNanoUsd === null ? null : Math.max(0, limits.monthNanoUsd - spentMonth),
  }
}

function tokensLeft(
  limit: number | null,
  window: TokenWindow,
  running: number,
  now: number,
): TokensLeft | null {
  if (limit === null) return null
  return {
    limit,
    remaining: Math.max(0, limit - window.used - running),
    resetAt: running > 0 ? wholeWindowFrom(now) : whenUsedIsAtMost(window, 0, now),
  }
}

export const reportOf = (ledger: Ledger, limits: LedgerLimits, now: number): LedgerReport => ({
  spentDayNanoUsd: ledger.days.get(dayOf(now)) ?? 0,
  spentMonthNanoUsd: ledger.months.get(monthOf(now)) ?? 0,
  running: ledger.leases.size,
  prefixes: [...ledger.prefixes.keys()].map((model) => ({
    model,
    offUntil: prefixOffUntil(ledger.prefixes, model, now),
  })),
  inputTokensInMinute: ledger.input.used,
  outputTokensInMinute: ledger.output.used + sumOutput(ledger),
  left: leftOf(ledger, limits, now),
})
