// A tenant's limits as headers: its request windows in the IETF draft's form, and these, its tokens a minute and its
// budgets in Claude's own, so that its clients see how much of them is left.
import { claudeHeaders } from '../core/limits/claude-headers.ts'
import { rateLimitHeaders } from '../core/limits/headers.ts'
import { isTenantWindow } from '../core/limits/request-windows.ts'
import { nextDayAt, nextMonthAt } from '../core/money/ledger/periods.ts'
import type { LedgerLeft, LedgerLimits } from '../core/money/ledger/words.ts'
import type { LimitWindow } from '../ports.ts'
import type { Call } from './call.ts'

/** What the tenant's ledger said as the call came. */
export interface LedgerState {
  readonly limits: LedgerLimits
  readonly left: LedgerLeft
}

/** Null for a browser token: how much of its budget a tenant has used is none of a page's business. */
export const ledgerState = ({ caller, tab }: Call, left: LedgerLeft | null): LedgerState | null =>
  tab === null || left === null || caller.token !== undefined
    ? null
    : { limits: tab.ask.limits, left }

export function limitHeaders(
  all: readonly LimitWindow[],
  now: number,
  ledger: LedgerState | null = null,
): Record<string, string> {
  // What holds around all tenants is nobody's to see.
  const windows = all.filter(isTenantWindow)
  const [tightest] = windows
  return {
    ...rateLimitHeaders(windows),
    ...claudeHeaders({
      requests:
        tightest === undefined
          ? null
          : { ...tightest, resetAt: now + tightest.resetSeconds * 1000 },
      inputTokens: ledger?.left.inputTokens ?? null,
      outputTokens: ledger?.left.outputTokens ?? null,
      day: budget(ledger?.limits.dayNanoUsd, ledger?.left.dayNanoUsd, nextDayAt(now)),
      month: budget(ledger?.limits.monthNanoUsd, ledger?.left.monthNanoUsd, nextMonthAt(now)),
    }),
  }
}

const budget = (limit: number | null = null, left: number | null = null, resetAt: number) =>
  limit === null || left === null ? null : { limit, left, resetAt }
