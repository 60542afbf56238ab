// A tier's numbers as its ledger keeps them: money in whole nano-dollars.
import type { Tier } from '../tier.ts'
import type { LedgerAsk, LedgerLimits } from './words.ts'

export const limitsOf = (tier: Tier): LedgerLimits => ({
  maxConcurrent: tier.maxConcurrent,
  inputTokensPerMinute: tier.inputTokensPerMinute,
  outputTokensPerMinute: tier.outputTokensPerMinute,
  dayNanoUsd: nanoUsd(tier.budgetUsdPerDay),
  monthNanoUsd: nanoUsd(tier.budgetUsdPerMonth),
})

const nanoUsd = (usd: number | null): number | null => (usd === null ? null : Math.round(usd * 1e9))

/** Limits that hold only while the ledger can be asked: without it such a call must not run. */
export const needsLedger = ({ limits, token }: Pick<LedgerAsk, 'limits' | 'token'>): boolean =>
  limits.maxConcurrent !== null ||
  limits.dayNanoUsd !== null ||
  limits.monthNanoUsd !== null ||
  (token !== null && (token.maxRequests !== null || token.budgetNanoUsd !== null))
