// What a run found, and how figures are drawn from it. Ratios are medians of what was paired in one round, not
// quotients of medians: what the machine did to a round it did to both.
import type { Checks } from './checks.ts'
import type { Machine } from './machine.ts'
import type { Measurement } from './measure.ts'
import { median } from './stats.ts'

export interface Results {
  readonly machine: Machine
  readonly pinned: boolean
  readonly plan: { readonly starts: number; readonly rounds: number; readonly windowMs: number }
  readonly store: string
  /** By scenario, then by subject, one of each round. */
  readonly measured: Record<string, Record<string, Measurement[]>>
  /** Subjects that could not be measured, and why. */
  readonly missing: Readonly<Record<string, string>>
  readonly checks: Checks | null
}

export type Figure = (seen: Measurement) => number

export const roundsOf = (
  results: Results,
  scenario: string,
  subject: string,
): readonly Measurement[] => results.measured[scenario]?.[subject] ?? []

export const medianOf = (rounds: readonly Measurement[], figure: Figure): number =>
  median(rounds.map(figure))

export function ratioOf(
  rounds: readonly Measurement[],
  base: readonly Measurement[],
  figure: Figure,
): number {
  return median(
    rounds.flatMap((seen, at) => {
      const beside = base[at]
      return beside === undefined ? [] : [figure(seen) / figure(beside)]
    }),
  )
}
