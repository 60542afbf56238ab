// How much money calls may have out at once. Each call holds the most that it may cost (a stream: until it asks again).
//
//   a grant is allowed  ⇔  Σ holds − the largest hold ≤ budget − spent
//
// Whatever the calls then cost, all but one fit into what is left, so together they pass the budget by at most the cost
// of that one. A budget with money left admits at least one call, however much that may cost.
import { dayOf, monthOf } from './periods.ts'
import type { Ledger, LedgerLease } from './ledger-state.ts'
import type { LedgerAsk, LimitName } from './words.ts'

/** One budget that a call draws from, beside the others that draw from it. */
export interface Purse {
  readonly name: LimitName
  readonly budgetNanoUsd: number
  /** Other calls that draw from it now. */
  readonly calls: number
  /** Settled. */
  readonly spentNanoUsd: number
  /** Told by calls that still run. */
  readonly runningNanoUsd: number
  readonly heldNanoUsd: number
  readonly largestHoldNanoUsd: number
  /** The same two by what the past tells, where that is less. */
  readonly boundNanoUsd: number
  readonly largestBoundNanoUsd: number
}

/** The budgets that a call draws from; `ask` itself is not among the holds. A call belongs to the day on which it came. */
export function pursesOf(ledger: Ledger, ask: LedgerAsk): Purse[] {
  const { limits, token, id } = ask
  const purses: Purse[] = []
  const add = (
    name: LimitName,
    budgetNanoUsd: number | null,
    spentNanoUsd: number | undefined,
    draws: (other: LedgerAsk) => boolean,
  ): void => {
    if (budgetNanoUsd === null) return
    const others = [...ledger.leases.values()].filter(
      (lease) => lease.ask.id !== id && draws(lease.ask),
    )
    purses.push({ name, budgetNanoUsd, spentNanoUsd: spentNanoUsd ?? 0, ...sumHolds(others) })
  }
  const day = dayOf(ask.at)
  const month = monthOf(ask.at)
  add('budget_day', limits.dayNanoUsd, ledger.days.get(day), ({ at }) => dayOf(at) === day)
  // Nearly all of them came on this day.
  add('budget_month', limits.monthNanoUsd, ledger.months.get(month), ({ at }) => {
    return dayOf(at) === day || monthOf(at) === month
  })
  if (token !== null) {
    const spent = ledger.tokens.get(token.id)?.nanoUsd
    add('token_budget', token.budgetNanoUsd, spent, (other) => other.token?.id === token.id)
  }
  return purses
}

const sumHolds = (leases: readonly LedgerLease[]) => {
  const sum = {
    calls: leases.length,
    runningNanoUsd: 0,
    heldNanoUsd: 0,
    largestHoldNanoUsd: 0,
    boundNanoUsd: 0,
    largestBoundNanoUsd: 0,
  }
  for (const { holdNanoUsd, boundNanoUsd, progress } of leases) {
    const told = progress?.costNanoUsd ?? 0
    const bound = Math.min(holdNanoUsd, Math.max(boundNanoUsd, told))
    sum.runningNanoUsd += told
    sum.heldNanoUsd += holdNanoUsd
    sum.largestHoldNanoUsd = Math.max(sum.largestHoldNanoUsd, holdNanoUsd)
    sum.boundNanoUsd += bound
    sum.largestBoundNanoUsd = Math.max(sum.largestBoundNanoUsd, bound)
  }
  return sum
}

/** Known to be used up, by what has ended and by what running calls have told. */
export const isSpent = (purse: Purse, ownNanoUsd = 0): boolean =>
  purse.spentNanoUsd + purse.runningNanoUsd + ownNanoUsd >= purse.budgetNanoUsd

/** Whether the rule above allows a call this hold. */
function allows(purse: Purse, holdNanoUsd: number): boolean {
  const left = purse.budgetNanoUsd - purse.spentNanoUsd
  const largest = Math.max(purse.largestHoldNanoUsd, holdNanoUsd)
  return purse.heldNanoUsd + holdNanoUsd - largest <= left
}

/** The same by what the past tells of calls of each kind. */
function allowsByThePast(purse: Purse, boundNanoUsd: number): boolean {
  const left = purse.budgetNanoUsd - purse.spentNanoUsd
  const largest = Math.max(purse.largestBoundNanoUsd, boundNanoUsd)
  return purse.boundNanoUsd + boundNanoUsd - largest <= left
}

export interface Wish {
  /** A call that is no stream needs all of it; a stream begins with what such calls usually cost. */
  readonly leastNanoUsd: number
  readonly mostNanoUsd: number
  readonly boundNanoUsd: number
  /** The least of one that has waited long enough for the others to end, and trusts the past; null: it has not. */
  readonly patientNanoUsd: number | null
}

// Of what is free, each call may take so small a part of its even share: the first of many leaves enough for the others,
// and none is ended while another sits on money. Far from the end of a budget that is more than any answer costs.
const SLICE = 16

/** What a call may hold: its most, or a part of what nobody holds, at least its least. Null: not even that. */
export function holdFor(purses: readonly Purse[], wish: Wish): number | null {
  const { leastNanoUsd, mostNanoUsd, boundNanoUsd, patientNanoUsd } = wish
  const share = Math.min(...purses.map((purse) => shareOf(purse, leastNanoUsd)))
  const wished = Math.min(mostNanoUsd, leastNanoUsd + Math.max(0, Math.floor(share)))
  if (purses.every((purse) => allows(purse, wished))) return wished
  if (purses.every((purse) => allows(purse, leastNanoUsd))) return leastNanoUsd
  if (patientNanoUsd === null) return null
  const bound = Math.min(boundNanoUsd, patientNanoUsd)
  return purses.every((purse) => allowsByThePast(purse, bound)) ? patientNanoUsd : null
}

const shareOf = (purse: Purse, leastNanoUsd: number): number =>
  (purse.budgetNanoUsd - purse.spentNanoUsd - purse.heldNanoUsd - leastNanoUsd) /
  (SLICE * (purse.calls + 1))

/** The cost at which a stream asks again: where it would use up a budget, however much it holds. */
export function allowanceOf(
  purses: readonly Purse[],
  { ask, holdNanoUsd }: LedgerLease,
  costNanoUsd: number,
): number | null {
  if (!ask.stream || purses.length === 0) return null
  const left = Math.min(
    ...purses.map((purse) => purse.budgetNanoUsd - purse.spentNanoUsd - purse.runningNanoUsd),
  )
  // A token is not divided.
  return Math.min(holdNanoUsd, Math.max(left, costNanoUsd + ask.price.output))
}

/** Those that let a call go no further; all of them, where it is their sum that does not fit. */
export function exhausted(purses: readonly Purse[], ownNanoUsd: number): readonly Purse[] {
  const spent = purses.filter((purse) => isSpent(purse, ownNanoUsd))
  return spent.length > 0 ? spent : purses
}
