// What a finished call teaches its gate: the breaker, the limit, the buckets, the account's standing. A call
// that another epoch granted, or that was granted before a door changed, teaches that door nothing.
import type { Outcome, Settlement } from './admission.ts'
import { recordResult, type CallResult, type Moment } from './breaker.ts'
import { classOf, countInUse, noteBreaker, noteTransition, type Gate } from './gate-state.ts'
import { newHold, nextHoldProbeAt } from './hold.ts'
import type { GrantMark, HeldLease } from './leases.ts'
import { noteOrganization } from './observe.ts'
import { cutLimit, raiseLimit, readLimit } from './limit.ts'
import { chargeOutput, chargeUsage, isExhausted, observeRate, pauseUntil } from './rate.ts'
import { earnRetry } from './retry-budget.ts'
import { pushError, type GateError } from './timeline.ts'

export function teach(gate: Gate, lease: HeldLease, settlement: Settlement, at: Moment): void {
  const { granted } = lease
  if (settlement.organization !== undefined) {
    noteOrganization(gate, settlement.organization, at.now)
  }
  if (granted === null || settlement.epoch !== gate.epoch) return
  teachRate(gate, lease, granted, { settlement, now: at.now })
  teachLimit(gate, lease, settlement, at.now)
  teachAccount(gate, lease, granted, { outcome: settlement.outcome, now: at.now })
  teachBreaker(gate, lease, granted, { outcome: settlement.outcome, at })
  if (settlement.outcome.kind === 'served') {
    gate.retryBalance = earnRetry(gate.retryBalance, gate.settings.retryBudgetRatio)
  }
  noteError(gate, lease, settlement.outcome, at.now)
}

const teachRate = (
  gate: Gate,
  lease: HeldLease,
  granted: GrantMark,
  { settlement, now }: { readonly settlement: Settlement; readonly now: number },
): void => {
  const { rate } = classOf(gate, lease.modelClass)
  const tokens = settlement.tokens ?? null
  const estimate = granted.estimatedInputTokens
  if (tokens !== null) {
    const outputTokens = Math.max(0, tokens.outputTokens - lease.producedTokens)
    chargeUsage(rate, estimate, { ...tokens, outputTokens }, now)
  }
  if (settlement.rate === null || granted.charged === null) return
  const { charged } = granted
  const own = tokens === null ? 0 : tokens.uncachedInputTokens - estimate
  observeRate(
    rate,
    {
      observation: settlement.rate,
      grantedAt: lease.since,
      charged: { ...charged, inputTokens: charged.inputTokens + own },
    },
    now,
  )
}

/** A renewal's word of what its stream has produced: charged once, as it was produced. */
export function teachProgress(gate: Gate, lease: HeldLease, tokens: number, now: number): void {
  const produced = tokens - lease.producedTokens
  if (!(produced > 0)) return
  lease.producedTokens = tokens
  if (lease.granted !== null) chargeOutput(classOf(gate, lease.modelClass).rate, produced, now)
}

const teachLimit = (
  gate: Gate,
  lease: HeldLease,
  { outcome, rate }: Settlement,
  now: number,
): void => {
  const from = readLimit(gate.limit, gate.account)
  if (outcome.kind === 'served') {
    if (raiseLimit(gate.limit, gate.account, now)) noteLimit(gate, from, 'recovered', now)
    return
  }
  if (outcome.kind !== 'throttled') return
  // This call's slot has just been freed.
  const inUse = countInUse(gate) + 1
  const call = { grantedAt: lease.since, rampLimited: outcome.rampLimited, inUse }
  const atFloor = from <= Math.max(1, gate.account.minConcurrent)
  // Shrinking answers a 429 unless a bucket is empty, or there is nothing left to shrink: then the class rests.
  if (outcome.retryAfterMs !== null && (atFloor || isExhausted(rate, now))) {
    pauseUntil(classOf(gate, lease.modelClass).rate, now + outcome.retryAfterMs)
  }
  if (!cutLimit(gate.limit, call, gate.account, now)) return
  noteLimit(gate, from, outcome.rampLimited ? 'ramp_limited' : 'throttled', now)
}

const noteLimit = (gate: Gate, before: number, cause: string, now: number): void => {
  const [from, to] = [String(before), String(readLimit(gate.limit, gate.account))]
  noteTransition(gate, { at: now, kind: 'limit', modelClass: null, from, to, cause })
}

const teachAccount = (
  gate: Gate,
  lease: HeldLease,
  granted: GrantMark,
  { outcome, now }: { readonly outcome: Outcome; readonly now: number },
): void => {
  if (granted.accountGeneration !== gate.accountGeneration) return
  const shuts = outcome.kind === 'spend_limited' || outcome.kind === 'credential_refused'
  const { hold } = gate
  if (hold === null) {
    if (shuts) {
      shutAccount(gate, outcome.kind === 'spend_limited' ? 'parked' : 'quarantined', now)
    }
    return
  }
  if (hold.probe?.leaseId !== lease.id) return
  hold.probe = null
  // A 429 of the common kind shows that the credential is good and the spend limit lifted.
  if (outcome.kind === 'served' || outcome.kind === 'throttled') reopenAccount(gate, 'probe', now)
  else if (outcome.kind !== 'ignored')
    hold.probeAt = nextHoldProbeAt(hold.reason, now, gate.settings)
}

export function shutAccount(
  gate: Gate,
  reason: 'manual' | 'quarantined' | 'parked',
  now: number,
): void {
  const from = gate.hold?.reason ?? 'closed'
  const cause = { manual: 'operator', quarantined: 'credential_refused', parked: 'spend_limited' }
  gate.hold = newHold(reason, now, gate.settings)
  changeAccount(gate, from, { to: reason, cause: cause[reason] }, now)
}

export function reopenAccount(gate: Gate, cause: string, now: number): void {
  if (gate.hold === null) return
  const from = gate.hold.reason
  gate.hold = null
  changeAccount(gate, from, { to: 'closed', cause }, now)
}

const changeAccount = (
  gate: Gate,
  from: string,
  { to, cause }: { readonly to: string; readonly cause: string },
  now: number,
): void => {
  gate.accountGeneration++
  gate.doorsChanged = true
  noteTransition(gate, { at: now, kind: 'account', modelClass: null, from, to, cause })
}

const RESULT: Readonly<Record<Outcome['kind'], CallResult['kind']>> = {
  served: 'served',
  failed: 'failed',
  throttled: 'neutral',
  spend_limited: 'neutral',
  credential_refused: 'neutral',
  ignored: 'neutral',
}

const teachBreaker = (
  gate: Gate,
  lease: HeldLease,
  granted: GrantMark,
  { outcome, at }: { readonly outcome: Outcome; readonly at: Moment },
): void => {
  const result: CallResult = {
    leaseId: lease.id,
    generation: granted.breakerGeneration,
    kind: RESULT[outcome.kind],
    cause: outcome.kind === 'failed' ? outcome.cause : outcome.kind,
    lastResort: lease.lastResort,
  }
  const { breaker } = classOf(gate, lease.modelClass)
  noteBreaker(gate, lease.modelClass, recordResult(breaker, result, at, gate.settings), at)
}

const noteError = (gate: Gate, lease: HeldLease, outcome: Outcome, now: number): void => {
  if (outcome.kind === 'served' || outcome.kind === 'ignored') return
  const cause: GateError['cause'] = outcome.kind === 'failed' ? outcome.cause : outcome.kind
  pushError(gate.errors, { at: now, modelClass: lease.modelClass, cause })
}
