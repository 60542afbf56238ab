// May this call run now? One decision over concurrency, tokens a minute and money, all or nothing: a refusal names every
// limit that refuses, with the time at which it frees, and takes nothing.
import { type Expected, foresee } from './estimates.ts'
import type { Ledger, LedgerLease } from './ledger-state.ts'
import { nextDayAt, nextMonthAt } from './periods.ts'
import { allowanceOf, holdFor, isSpent, type Purse, pursesOf } from './purse.ts'
import { addTokens, type TokenWindow, wholeWindowFrom, whenUsedIsAtMost } from './token-window.ts'
import type { LedgerAsk, LedgerLeft, LimitName, LimitRefusal } from './words.ts'

/** A stream is given money for so many tokens at least: less than a second of any model. */
const LEAST_SLICE_TOKENS = 64
// Where the calls that run could use up what is left, a newcomer waits so long for their end before it trusts the past.
const PATIENCE_MS = 2_000
// A refused call asks again no sooner than this, for whatever it waits.
const SOON_MS = 1_000

export type Decision =
  | { readonly kind: 'granted'; readonly lease: LedgerLease }
  | { readonly kind: 'busy' }
  | { readonly kind: 'refused'; readonly refusals: readonly LimitRefusal[] }

export function decide(ledger: Ledger, ask: LedgerAsk, now: number): Decision {
  const expected = foresee(ledger.estimates, ask)
  const purses = pursesOf(ledger, ask)
  const refusals = [
    ...refuseConcurrency(ledger, ask, now),
    ...refuseTokens(ledger, ask, expected, now),
    ...refuseMoney(
      purses.filter((purse) => isSpent(purse)),
      ask,
      now,
    ),
    ...refuseBrowserToken(ledger, ask),
  ]
  if (refusals.length > 0) return { kind: 'refused', refusals }
  const lease = leaseFor(ask, expected, now)
  if (purses.length === 0) return { kind: 'granted', lease }
  const most = mostNanoUsd(ask)
  const input = ask.inputTokens * ask.price.inputMost
  const usual = Math.min(most, input + expected.outputTokens * ask.price.output)
  const patient = ask.stream ? Math.min(usual, input + leastSliceNanoUsd(ask)) : most
  const hold = holdFor(purses, {
    leastNanoUsd: ask.stream ? usual : most,
    mostNanoUsd: most,
    boundNanoUsd: lease.boundNanoUsd,
    patientNanoUsd: isPatient(ask, now) ? patient : null,
  })
  if (hold === null) return { kind: 'busy' }
  lease.holdNanoUsd = hold
  lease.allowanceNanoUsd = allowanceOf(purses, lease, input)
  return { kind: 'granted', lease }
}

export const isPatient = ({ at }: LedgerAsk, now: number): boolean => now - at >= PATIENCE_MS

export const leastSliceNanoUsd = ({ price }: LedgerAsk): number => LEAST_SLICE_TOKENS * price.output

export const mostNanoUsd = ({ inputTokens, maxOutputTokens, price }: LedgerAsk): number =>
  inputTokens * price.inputMost + maxOutputTokens * price.output

/** As a lease stands before it holds money. */
export function leaseFor(ask: LedgerAsk, expected: Expected, now: number): LedgerLease {
  const { price } = ask
  return {
    ask,
    grantedAt: now,
    expiresAt: now + ask.ttlMs + ask.maxWaitMs,
    inputTokens: expected.inputTokens,
    outputTokens: expected.outputTokens,
    holdNanoUsd: 0,
    allowanceNanoUsd: null,
    boundNanoUsd: ask.inputTokens * price.inputMost + expected.boundOutputTokens * price.output,
    likelyNanoUsd: expected.inputTokens * price.input + expected.outputTokens * price.output,
    progress: null,
  }
}

/** Takes what the decision granted. */
export function take(ledger: Ledger, lease: LedgerLease, now: number): void {
  const { ask } = lease
  ledger.leases.set(ask.id, lease)
  ledger.unsaved.leases.add(ask.id)
  ledger.unsaved.record = true
  ledger.nextExpiryAt = Math.min(ledger.nextExpiryAt, lease.expiresAt)
  addTokens(ledger.input, lease.grantedAt, lease.inputTokens, now)
  if (ask.token === null) return
  const { id, expiresAt } = ask.token
  const use = ledger.tokens.get(id) ?? { requests: 0, nanoUsd: 0, expiresAt }
  use.requests += 1
  ledger.tokens.set(id, use)
  ledger.nextExpiryAt = Math.min(ledger.nextExpiryAt, expiresAt)
  ledger.unsaved.tokens.add(id)
}

function refuseConcurrency(ledger: Ledger, { limits }: LedgerAsk, now: number): LimitRefusal[] {
  const limit = limits.maxConcurrent
  if (limit === null || ledger.leases.size < limit) return []
  let frees = Infinity
  for (const { ask, grantedAt, expiresAt } of ledger.leases.values()) {
    const { tookMs } = foresee(ledger.estimates, ask)
    frees = Math.min(frees, expiresAt, Math.max(now + SOON_MS, grantedAt + tookMs))
  }
  return [{ name: 'concurrency', limit, retryAt: Number.isFinite(frees) ? Math.ceil(frees) : null }]
}

function refuseTokens(
  ledger: Ledger,
  { limits }: LedgerAsk,
  expected: Expected,
  now: number,
): LimitRefusal[] {
  // What runs will count as produced when it ends.
  const producing = limits.outputTokensPerMinute === null ? 0 : sumOutput(ledger)
  return [
    ...refuseWindow('input_tokens', limits.inputTokensPerMinute, {
      window: ledger.input,
      running: 0,
      wanted: expected.inputTokens,
      now,
    }),
    ...refuseWindow('output_tokens', limits.outputTokensPerMinute, {
      window: ledger.output,
      running: producing,
      wanted: expected.outputTokens,
      now,
    }),
  ]
}

interface Demand {
  readonly window: TokenWindow
  readonly running: number
  readonly wanted: number
  readonly now: number
}

function refuseWindow(
  name: LimitName,
  limit: number | null,
  { window, running, wanted, now }: Demand,
): LimitRefusal[] {
  if (limit === null) return []
  // A call that is larger than its limit may go alone: it would never fit otherwise.
  const room = limit - Math.min(wanted, limit)
  const used = window.used + running
  if (used <= room && limit > 0) return []
  const retryAt =
    running > room ? wholeWindowFrom(now) : whenUsedIsAtMost(window, room - running, now)
  return [{ name, limit, retryAt: Math.max(retryAt, now + SOON_MS) }]
}

export function sumOutput(ledger: Ledger): number {
  let tokens = 0
  for (const lease of ledger.leases.values()) tokens += lease.outputTokens
  return tokens
}

export const refuseMoney = (
  purses: readonly Purse[],
  { at }: LedgerAsk,
  now: number,
): LimitRefusal[] =>
  purses.map(({ name, budgetNanoUsd }) => ({
    name,
    limit: budgetNanoUsd,
    retryAt: freshMoneyAt(name, Math.max(at, now)),
  }))

function freshMoneyAt(name: LimitName, now: number): number | null {
  if (name === 'budget_day') return nextDayAt(now)
  return name === 'budget_month' ? nextMonthAt(now) : null
}

function refuseBrowserToken(ledger: Ledger, { token }: LedgerAsk): LimitRefusal[] {
  if (token === null || token.maxRequests === null) return []
  const used = ledger.tokens.get(token.id)?.requests ?? 0
  if (used < token.maxRequests) return []
  return [{ name: 'token_requests', limit: token.maxRequests, retryAt: null }]
}

// Far more than end within a moment.
const PLENTY_CALLS = 64
const PLENTY_PLACES = 8

/** Whether half of every limit is left, and far more than this call may take: nobody waits for what it gives back. */
export function hasPlenty(ask: LedgerAsk, left: LedgerLeft): boolean {
  const { limits, token } = ask
  const { concurrent, inputTokens, outputTokens } = left
  // What a browser's token has left is not told.
  if (token !== null) return false
  const places = Math.max(PLENTY_PLACES, (limits.maxConcurrent ?? 0) / 2)
  const money = Math.min(left.dayNanoUsd ?? Infinity, left.monthNanoUsd ?? Infinity)
  return (
    (concurrent === null || concurrent >= places) &&
    [inputTokens, outputTokens].every((each) => each === null || each.remaining * 2 > each.limit) &&
    money >= PLENTY_CALLS * mostNanoUsd(ask)
  )
}

// Two calls' worth would do; several are sure to be seen before it matters.
const NEAR_CALLS = 8

/** Whether so little is left, of money or of a browser token, that a few calls like this one may use it up. */
export function isNearTheEnd(
  ledger: Ledger,
  ask: LedgerAsk,
  { left }: { readonly left: LedgerLeft },
): boolean {
  const { token } = ask
  const used = token === null ? undefined : ledger.tokens.get(token.id)
  const requests = (token?.maxRequests ?? Infinity) - (used?.requests ?? 0)
  const money = Math.min(
    left.dayNanoUsd ?? Infinity,
    left.monthNanoUsd ?? Infinity,
    (token?.budgetNanoUsd ?? Infinity) - (used?.nanoUsd ?? 0),
  )
  return ask.dry !== true && (requests < NEAR_CALLS || money < NEAR_CALLS * mostNanoUsd(ask))
}
