// One account's gate: may it take one more call? Each event first lets time pass, then decides, then gives what
// became free to those who wait. What an event decided comes back as resolutions, by ticket.
import type { AdmissionAsk, Lease, LeaseWitness, Renewal, Settlement } from './admission.ts'
import { advanceBreaker, extendProbe, nextBreakerWakeAt, type Moment } from './breaker.ts'
import {
  freeSlots,
  mayQueue,
  rateAllowsAt,
  readDoor,
  refusal,
  slotExpectedAt,
  type OpenDoor,
} from './door.ts'
import { classOf, noteBreaker, type Gate, type Resolution } from './gate-state.ts'
import { giveRetryBack, grant, pump, undoGrant } from './grant.ts'
import { advanceHold } from './hold.ts'
import {
  adoptLease,
  endLease,
  expireLeases,
  extendLease,
  hasEnded,
  holdLease,
  leaseAnswer,
  nextExpiryAt,
  rememberEnded,
} from './leases.ts'
import {
  advancePredecessors,
  claimSlot,
  idleReleaseAt,
  leaseHorizonAt,
  mayBeRegrantedAt,
  nextPredecessorWakeAt,
  releaseWhenIdle,
  reserve,
} from './reservation.ts'
import { isRetry, maySpendRetry, spendRetry } from './retry-budget.ts'
import { teach, teachProgress } from './teach.ts'
import { hasPlace, joinQueue, leaveQueue } from './wait-queue.ts'
import { HOLD_MEAN_SHARE } from './tuning.ts'

/** Decides at once, or makes the caller wait: then its ticket is not among the resolutions. */
export function admit(gate: Gate, ask: AdmissionAsk, at: Moment): Resolution[] {
  if (gate.account.draining !== ask.account.draining) gate.doorsChanged = true
  gate.account = ask.account
  const resolved = advance(gate, at)
  const own = decide(gate, ask, at.now)
  if (own !== null) resolved.push(own)
  return resolved
}

const decide = (gate: Gate, ask: AdmissionAsk, now: number): Resolution | null => {
  const known = recall(gate, ask, now)
  if (known !== undefined) return known
  const door = readDoor(gate, ask.modelClass, now)
  if (door.kind === 'shut') return refuse(ask, refusal(door.reason, door.retryAt, 0))
  if (!isRetry(ask)) return place(gate, ask, door, now)
  if (!maySpendRetry(gate.retryBalance)) return refuse(ask, refusal('retry_budget', null, 0))
  const own = place(gate, ask, door, now)
  // Taken while it waits too: a hundred that wait must not all hope for the same one.
  if (own?.admission.kind !== 'refused') gate.retryBalance = spendRetry(gate.retryBalance)
  return own
}

/** A slot, a place in the queue (null), or a refusal. */
const place = (gate: Gate, ask: AdmissionAsk, door: OpenDoor, now: number): Resolution | null => {
  const allowedAt = rateAllowsAt(gate, ask, now)
  const overtakes = gate.queue.byClass.has(ask.modelClass)
  if (freeSlots(gate) > 0 && allowedAt <= now && !overtakes) {
    return grant(gate, { ask, since: now }, door, now)
  }
  const deadlineAt = now + Math.min(ask.maxWaitMs, gate.settings.queueWaitMs)
  if (allowedAt > now && allowedAt >= deadlineAt) {
    return refuse(ask, refusal('throttled', allowedAt, 0))
  }
  if (!mayQueue(gate, ask, door)) return refuse(ask, refusal('open', slotExpectedAt(gate, now), 0))
  if (deadlineAt <= now) return refuse(ask, refusal('full', slotExpectedAt(gate, now), 0))
  if (!hasPlace(gate.queue, ask.tenant, gate.settings)) {
    return refuse(ask, refusal('queue_full', slotExpectedAt(gate, now), 0))
  }
  joinQueue(gate.queue, { ask, since: now, deadlineAt })
  return null
}

const refuse = (ask: AdmissionAsk, admission: Resolution['admission']): Resolution => ({
  ticket: ask.ticket,
  admission,
})

/** A ticket that was seen before gets the answer that it has: undefined where it is new. */
const recall = (gate: Gate, ask: AdmissionAsk, now: number): Resolution | null | undefined => {
  const lease = gate.leases.held.get(ask.ticket)
  if (lease !== undefined) {
    const answer = leaseAnswer(lease, gate.epoch, now)
    return refuse(ask, { kind: 'admitted', lease: answer, queuedMs: 0, probe: lease.probe })
  }
  if (gate.queue.byTicket.has(ask.ticket)) return null
  if (hasEnded(gate.leases, ask.ticket)) return refuse(ask, refusal('cancelled', null, 0))
  return undefined
}

/** The caller is gone: it waits no longer, and a slot that it got meanwhile is free. */
export function cancel(gate: Gate, ticket: string, at: Moment): Resolution[] {
  const resolved = advance(gate, at)
  const waiter = leaveQueue(gate.queue, ticket)
  if (waiter !== null) {
    rememberEnded(gate.leases, ticket)
    if (isRetry(waiter.ask)) giveRetryBack(gate)
    const queuedMs = at.now - waiter.since
    resolved.push({ ticket, admission: refusal('cancelled', null, queuedMs) })
    return resolved
  }
  const lease = gate.leases.held.get(ticket)
  if (lease !== undefined) undoGrant(gate, lease, at.now)
  const ignored = { kind: 'ignored' } as const
  const empty = { leaseId: ticket, epoch: gate.epoch, outcome: ignored, rate: null }
  resolved.push(...settle(gate, { settlement: empty, witness: null }, at))
  return resolved
}

/** Keeps a lease whose holder is alive; null where the call has ended. */
export function renew(gate: Gate, renewal: Renewal, at: Moment): [Lease | null, Resolution[]] {
  const { held } = gate.leases
  // Before time passes: a renewal that comes a moment late still shows that the holder is alive.
  let lease = held.get(renewal.leaseId)
  if (lease === undefined && hasEnded(gate.leases, renewal.leaseId))
    return [null, advance(gate, at)]
  const leases = held.size + (lease === undefined ? 1 : 0)
  const most = gate.account.maxConcurrent
  reserve(gate.reservation, { leases, most, now: at.now }, gate.settings)
  const expiresAt = leaseHorizonAt(gate.reservation, gate.settings)
  if (lease === undefined) {
    const { leaseId: id, witness } = renewal
    const promisedUntil = mayBeRegrantedAt(gate.predecessors, witness)
    claimSlot(gate.predecessors, witness)
    const producedTokens = renewal.outputTokens ?? 0
    lease = adoptLease({ id, witness, promisedUntil, producedTokens }, at.now, expiresAt)
    holdLease(gate.leases, lease)
  } else {
    extendLease(gate.leases, lease, expiresAt)
    teachProgress(gate, lease, renewal.outputTokens ?? 0, at.now)
  }
  if (renewal.answering && lease.probe) extendProbes(gate, lease.id, lease.modelClass, at.now)
  return [leaseAnswer(lease, gate.epoch, at.now), advance(gate, at)]
}

const extendProbes = (gate: Gate, leaseId: string, modelClass: string, now: number): void => {
  const deadline = now + gate.settings.breakerProbeTimeoutMs
  extendProbe(classOf(gate, modelClass).breaker, leaseId, deadline)
  if (gate.hold?.probe?.leaseId === leaseId) gate.hold.probe.deadline = deadline
}

export interface SettleEvent {
  readonly settlement: Settlement
  readonly witness: LeaseWitness | null
}

/** Frees the slot, once; a second word about the same lease changes nothing. */
export function settle(gate: Gate, event: SettleEvent, at: Moment): Resolution[] {
  const resolved = advance(gate, at)
  const { settlement } = event
  if (hasEnded(gate.leases, settlement.leaseId)) return resolved
  const lease = endLease(gate.leases, settlement.leaseId)
  gate.reservation.usedAt = at.now
  if (lease === null) {
    claimSlot(gate.predecessors, event.witness)
  } else {
    gate.holdMs += (at.now - lease.since - gate.holdMs) * HOLD_MEAN_SHARE
    teach(gate, lease, settlement, at)
  }
  resolved.push(...pump(gate, at))
  return resolved
}

/** What time alone does. Idempotent: the shell calls it when `nextWakeAt` says so, and as often as it likes. */
export function advance(gate: Gate, at: Moment): Resolution[] {
  if (gate.predecessors.length > 0) {
    gate.predecessors = advancePredecessors(gate.predecessors, at.now)
  }
  expireLeases(gate.leases, at.now)
  releaseWhenIdle(gate.reservation, gate.leases.held.size, at.now)
  if (gate.hold !== null) advanceHold(gate.hold, at.now, gate.settings)
  for (const [name, { breaker }] of gate.classes) {
    if (breaker.phase.kind === 'closed') continue
    noteBreaker(gate, name, advanceBreaker(breaker, at, gate.settings), at)
  }
  return pump(gate, at)
}

/** When time alone changes something next; null: nothing will. */
export function nextWakeAt(gate: Gate, now: number): number | null {
  let next = Math.min(
    nextExpiryAt(gate.leases),
    gate.queue.nextDeadlineAt,
    nextPredecessorWakeAt(gate.predecessors),
    idleReleaseAt(gate.reservation, gate.leases.held.size),
    gate.hold?.probe?.deadline ?? Infinity,
  )
  for (const { breaker } of gate.classes.values()) next = Math.min(next, nextBreakerWakeAt(breaker))
  if (gate.queue.byTicket.size > 0 && freeSlots(gate) > 0) {
    for (const { ask } of gate.queue.byTicket.values()) {
      const allowedAt = rateAllowsAt(gate, ask, now)
      if (allowedAt > now) next = Math.min(next, allowedAt)
    }
  }
  return Number.isFinite(next) ? next : null
}
