// Tells of budgets that run out, each mark once for as long as this process remembers; what could not be told is told when
// the tenant is next heard of.
import type { PassedThreshold } from '../../core/money/ledger/thresholds.ts'
import { thresholdEvents } from '../../core/webhooks/event.ts'
import type { Webhooks } from '../../ports/webhooks.ts'

const NANO = 1e9
const REMEMBERED = 10_000

export type BudgetNews = (tenant: string, passed: readonly PassedThreshold[]) => void

export interface BudgetNewsOptions {
  readonly webhooks: Pick<Webhooks, 'tell'>
  readonly now: () => number
  /** Keeps the telling alive. */
  readonly defer: (work: Promise<unknown>) => void
}

export function createBudgetNews({ webhooks, now, defer }: BudgetNewsOptions): BudgetNews {
  const told = new Set<string>()
  return (tenant, passed) => {
    for (const { period, periodName, percent, spentNanoUsd, budgetNanoUsd } of passed) {
      const mark = `${tenant} ${periodName} ${percent} ${budgetNanoUsd}`
      if (told.has(mark)) continue
      told.add(mark)
      for (const oldest of told) {
        if (told.size <= REMEMBERED) break
        told.delete(oldest)
      }
      const events = thresholdEvents({
        tenant,
        period,
        periodName,
        percent,
        spentUsd: spentNanoUsd / NANO,
        budgetUsd: budgetNanoUsd / NANO,
        at: now(),
      })
      const telling = Promise.all(events.map((event) => webhooks.tell(event)))
      defer(telling.catch(() => told.delete(mark)))
    }
  }
}
