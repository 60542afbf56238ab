// A tenant's money and concurrency: (ledger, event, now) → answer.
//
//   reserve ──► lease ──► renew (how far it is; a stream's next slice of money) ──► settle: what it really used
//                  └────► not renewed in time: billed by what it told, or by estimate; its slot is free
//
// A call is counted once by its id, however often its end is told; a bill that comes after all replaces the estimate.
import { bill, difference, estimatedBill, nothing } from './bill.ts'
import { foresee, learn } from './estimates.ts'
import type { UsageRecord } from '../usage-record.ts'
import type { Ledger, LedgerLease } from './ledger-state.ts'
import { notePrefix, prefixOffUntil } from './prefix-worth.ts'
import { allowanceOf, exhausted, holdFor, isSpent, pursesOf } from './purse.ts'
import {
  decide,
  isPatient,
  leaseFor,
  leastSliceNanoUsd,
  mostNanoUsd,
  refuseMoney,
  take,
} from './reserve.ts'
import { addTokens, advanceWindow } from './token-window.ts'
import { leftOf } from './left.ts'
import type { LedgerAsk, LedgerRenewal, LedgerSettlement, Renewed, Reservation } from './words.ts'

// A settlement is told again within seconds; later ones are known from the disk.
const ENDED_KEPT_MS = 120_000
const ENDED_MOST = 50_000
// The isolate that ran a call and could not reach its ledger tells the real bill within that.
const LOST_KEPT_MS = 3_600_000
const LOST_MOST = 200
const BUSY_WINDOW_MS = 1_000
const BUSY_LEAST_MS = 100
/** Calls that ask again within one step of the wait. */
const BUSY_STEP = 10

export function reserve(ledger: Ledger, ask: LedgerAsk, now: number): Reservation {
  advance(ledger, now)
  const known = ledger.leases.get(ask.id)
  if (known !== undefined) return granted(ledger, known, now)
  const decision = decide(ledger, ask, now)
  if (decision.kind === 'refused') {
    return { ...decision, left: leftOf(ledger, ask.limits, now) }
  }
  if (decision.kind === 'busy') return { kind: 'busy', retryAt: now + busyWaitMs(ledger, now) }
  // A word that was overtaken by the end of its call takes nothing.
  if (ask.dry !== true && !ledger.ended.has(ask.id)) take(ledger, decision.lease, now)
  return granted(ledger, decision.lease, now)
}

function granted(ledger: Ledger, lease: LedgerLease, now: number): Reservation {
  const offUntil = prefixOffUntil(ledger.prefixes, lease.ask.model, now)
  return {
    kind: 'granted',
    expiresAt: lease.expiresAt,
    allowanceNanoUsd: lease.allowanceNanoUsd,
    left: leftOf(ledger, lease.ask.limits, now),
    ...(offUntil === null ? {} : { prefixOffUntil: offUntil }),
  }
}

function busyWaitMs({ busy }: Ledger, now: number): number {
  if (now - busy.since >= BUSY_WINDOW_MS) {
    busy.since = now
    busy.count = 0
  }
  busy.count += 1
  return Math.min(BUSY_WINDOW_MS, BUSY_LEAST_MS * Math.ceil(busy.count / BUSY_STEP))
}

export function renew(ledger: Ledger, renewal: LedgerRenewal, now: number): Renewed {
  advance(ledger, now)
  const { ask, progress } = renewal
  if (ledger.ended.has(ask.id)) return { kind: 'ended' }
  const lease = ledger.leases.get(ask.id) ?? adopt(ledger, renewal, now)
  lease.expiresAt = Math.max(lease.expiresAt, now + ask.ttlMs)
  if (progress !== null) lease.progress = progress
  ledger.unsaved.leases.add(ask.id)
  return goOn(ledger, lease, renewal, now)
}

/** More money for a stream that has used half of what it was given. */
function goOn(ledger: Ledger, lease: LedgerLease, { ask }: LedgerRenewal, now: number): Renewed {
  const cost = lease.progress?.costNanoUsd ?? 0
  const { holdNanoUsd } = lease
  const purses = ask.stream ? pursesOf(ledger, ask) : []
  const stop = (): Renewed => ({
    kind: 'stop',
    refusals: refuseMoney(exhausted(purses, cost), ask, now),
  })
  if (purses.some((purse) => isSpent(purse, cost))) return stop()
  if (purses.length > 0 && cost * 2 >= holdNanoUsd) {
    // One chunk may have brought more than was held.
    const least = Math.max(holdNanoUsd, cost) + leastSliceNanoUsd(ask)
    const hold = holdFor(purses, {
      leastNanoUsd: least,
      mostNanoUsd: Math.max(mostNanoUsd(ask), least),
      boundNanoUsd: Math.max(lease.boundNanoUsd, least),
      patientNanoUsd: isPatient(ask, now) ? least : null,
    })
    if (hold !== null) lease.holdNanoUsd = hold
    else if (cost >= holdNanoUsd) return stop()
  }
  lease.allowanceNanoUsd = allowanceOf(purses, lease, cost)
  const { expiresAt, allowanceNanoUsd } = lease
  return { kind: 'go', expiresAt, allowanceNanoUsd }
}

/** A call whose lease a crash took with it runs on, as it was granted. */
function adopt(ledger: Ledger, { ask, allowanceNanoUsd }: LedgerRenewal, now: number): LedgerLease {
  const lease = leaseFor(ask, foresee(ledger.estimates, ask), now)
  lease.holdNanoUsd =
    pursesOf(ledger, ask).length === 0 ? 0 : (allowanceNanoUsd ?? mostNanoUsd(ask))
  take(ledger, lease, now)
  return lease
}

export function settle(ledger: Ledger, settlement: LedgerSettlement, now: number): void {
  const { id, usage } = settlement
  advance(ledger, now)
  const lease = ledger.leases.get(id)
  const lost = ledger.lost.get(id)
  if (lease === undefined && lost === undefined && ledger.ended.has(id)) return
  if (lease !== undefined) release(ledger, lease, settlement, now)
  end(ledger, id, now)
  if (lost !== undefined) {
    // It was billed by estimate: what is told now is the truth.
    ledger.lost.delete(id)
    const correction = difference(usage ?? nothing(lost.billed), lost.billed)
    bill(ledger, { id: `${id}.real`, usage: correction, token: lost.token })
  } else if (usage !== null) bill(ledger, { id, usage, token: lease?.ask.token?.id ?? null })
  if (settlement.isBatch === true) return
  if (lease === undefined && lost === undefined && usage !== null) countTokens(ledger, usage, now)
}

/** Of a call that ran without a reservation, or whose reservation a crash took. */
function countTokens(ledger: Ledger, usage: UsageRecord, now: number): void {
  addTokens(ledger.input, now, usage.inputTokens + usage.cacheWriteTokens, now)
  addTokens(ledger.output, now, usage.outputTokens, now)
}

function release(
  ledger: Ledger,
  lease: LedgerLease,
  { usage, unused = false, askedToKeep = false, tookMs }: LedgerSettlement,
  now: number,
): void {
  const { ask } = lease
  forget(ledger, lease)
  const input = usage === null ? 0 : usage.inputTokens + usage.cacheWriteTokens
  addTokens(ledger.input, lease.grantedAt, input - lease.inputTokens, now)
  if (usage !== null) addTokens(ledger.output, now, usage.outputTokens, now)
  if (usage !== null && askedToKeep) notePrefix(ledger.prefixes, usage, now)
  if (usage !== null && !usage.estimated) learn(ledger.estimates, ask, usage, tookMs ?? null)
  const use = ask.token === null || !unused ? undefined : ledger.tokens.get(ask.token.id)
  if (use === undefined || ask.token === null) return
  use.requests -= 1
  ledger.unsaved.tokens.add(ask.token.id)
}

function forget(ledger: Ledger, { ask }: LedgerLease): void {
  ledger.leases.delete(ask.id)
  ledger.unsaved.leases.add(ask.id)
  ledger.unsaved.record = true
}

function end(ledger: Ledger, id: string, now: number): void {
  const { ended, lost } = ledger
  ended.delete(id)
  ended.set(id, now)
  for (const [oldest, at] of ended) {
    if (now - at < ENDED_KEPT_MS && ended.size <= ENDED_MOST) break
    ended.delete(oldest)
  }
  for (const [oldest, { at }] of lost) {
    if (now - at < LOST_KEPT_MS && lost.size < LOST_MOST) break
    lost.delete(oldest)
  }
}

/** Catches up with time: minutes pass, and calls that nobody speaks for any more are billed and free their slot. */
export function advance(ledger: Ledger, now: number): void {
  advanceWindow(ledger.input, now)
  advanceWindow(ledger.output, now)
  if (now < ledger.nextExpiryAt) return
  for (const lease of ledger.leases.values()) if (lease.expiresAt <= now) lose(ledger, lease, now)
  for (const [id, use] of ledger.tokens) {
    if (use.expiresAt > now) continue
    ledger.tokens.delete(id)
    ledger.unsaved.tokens.add(id)
  }
  ledger.nextExpiryAt = findExpiry(ledger)
}

function findExpiry(ledger: Ledger): number {
  let at = Infinity
  for (const { expiresAt } of ledger.leases.values()) at = Math.min(at, expiresAt)
  for (const { expiresAt } of ledger.tokens.values()) at = Math.min(at, expiresAt)
  return at
}

function lose(ledger: Ledger, lease: LedgerLease, now: number): void {
  const billed = estimatedBill(lease)
  const { id } = lease.ask
  const token = lease.ask.token?.id ?? null
  forget(ledger, lease)
  addTokens(ledger.output, now, billed.outputTokens, now)
  bill(ledger, { id, usage: billed, token })
  end(ledger, id, now)
  ledger.lost.set(id, { at: now, billed, token })
  ledger.unsaved.lost.push(billed)
}

/** When a lease may run out next; null: nothing is due. */
export const nextWakeAt = (ledger: Ledger): number | null =>
  ledger.leases.size === 0 ? null : ledger.nextExpiryAt
