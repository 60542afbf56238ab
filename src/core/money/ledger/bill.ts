// What a call is billed, and to which day, month and browser token.
import type { UsageRecord } from '../usage-record.ts'
import type { Ledger, LedgerLease, Spending } from './ledger-state.ts'
import { dayOf, monthOf } from './periods.ts'

export interface Bill {
  /** Under which it is counted once. */
  readonly id: string
  readonly usage: UsageRecord
  readonly token: string | null
}

export function bill(ledger: Ledger, { id, usage, token }: Bill): void {
  spend(ledger.days, dayOf(usage.at), usage.costNanoUsd)
  spend(ledger.months, monthOf(usage.at), usage.costNanoUsd)
  ledger.unsaved.usage.set(id, usage)
  ledger.unsaved.record = true
  const use = token === null ? undefined : ledger.tokens.get(token)
  if (token === null || use === undefined) return
  use.nanoUsd += usage.costNanoUsd
  ledger.unsaved.tokens.add(token)
}

/** This period and the one before; what is older has no budget any more. */
function spend(spending: Spending, period: number, nanoUsd: number): void {
  spending.set(period, (spending.get(period) ?? 0) + nanoUsd)
  const newest = Math.max(...spending.keys())
  for (const each of spending.keys()) if (each < newest - 1) spending.delete(each)
}

/** What a call told last, or what its like cost, whichever is more. */
export function estimatedBill({ ask, progress, ...lease }: LedgerLease): UsageRecord {
  // A stream has kept to what it was allowed.
  const likely = Math.min(lease.likelyNanoUsd, lease.allowanceNanoUsd ?? Infinity)
  if (progress !== null && progress.costNanoUsd >= likely) return progress
  const { id, tenant, key, user, model, at } = ask
  return {
    requestId: id,
    tenant,
    key,
    user,
    model,
    at,
    inputTokens: lease.inputTokens,
    outputTokens: lease.outputTokens,
    cacheWriteTokens: 0,
    cacheReadTokens: 0,
    costNanoUsd: likely,
    savedNanoUsd: 0,
    estimated: true,
  }
}

export const nothing = (record: UsageRecord): UsageRecord => ({
  ...record,
  inputTokens: 0,
  outputTokens: 0,
  cacheWriteTokens: 0,
  cacheReadTokens: 0,
  costNanoUsd: 0,
  savedNanoUsd: 0,
})

/** What makes the sum of both bills the real one. The call itself was counted with the first. */
export const difference = (real: UsageRecord, billed: UsageRecord): UsageRecord => ({
  ...billed,
  requests: 0,
  inputTokens: real.inputTokens - billed.inputTokens,
  outputTokens: real.outputTokens - billed.outputTokens,
  cacheWriteTokens: real.cacheWriteTokens - billed.cacheWriteTokens,
  cacheReadTokens: real.cacheReadTokens - billed.cacheReadTokens,
  costNanoUsd: real.costNanoUsd - billed.costNanoUsd,
  savedNanoUsd: real.savedNanoUsd - billed.savedNanoUsd,
})
