// Which marks of its budgets a tenant has passed. Asked again it says the same, so that telling it may fail and be repeated.
import { dayOf, monthOf } from './periods.ts'
import type { Ledger } from './ledger-state.ts'
import type { LedgerLimits } from './words.ts'

export const THRESHOLDS = [75, 95, 100] as const

export interface PassedThreshold {
  readonly period: 'day' | 'month'
  /** `2026-11-21`, `2026-11`. */
  readonly periodName: string
  readonly percent: (typeof THRESHOLDS)[number]
  readonly spentNanoUsd: number
  readonly budgetNanoUsd: number
}

export function passedThresholds(
  { days, months }: Pick<Ledger, 'days' | 'months'>,
  { dayNanoUsd, monthNanoUsd }: LedgerLimits,
  now: number,
): readonly PassedThreshold[] {
  return [
    ...passed('day', 10, { budgetNanoUsd: dayNanoUsd, spent: days.get(dayOf(now)), now }),
    ...passed('month', 7, { budgetNanoUsd: monthNanoUsd, spent: months.get(monthOf(now)), now }),
  ]
}

interface Budget {
  readonly budgetNanoUsd: number | null
  readonly spent: number | undefined
  readonly now: number
}

const NONE: readonly PassedThreshold[] = []

function passed(
  period: PassedThreshold['period'],
  nameLength: number,
  { budgetNanoUsd, spent = 0, now }: Budget,
): readonly PassedThreshold[] {
  // Most calls end here, far from any mark. Of no budget at all nothing can be used up.
  if (budgetNanoUsd === null || budgetNanoUsd <= 0 || spent * 100 < budgetNanoUsd * 75) return NONE
  const periodName = new Date(now).toISOString().slice(0, nameLength)
  return THRESHOLDS.filter((percent) => spent * 100 >= budgetNanoUsd * percent).map((percent) => ({
    period,
    periodName,
    percent,
    spentNanoUsd: spent,
    budgetNanoUsd,
  }))
}
