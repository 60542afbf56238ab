// Gives a slot to a call, and the slots that are free to those who wait.
import { addProbe, type Moment } from './breaker.ts'
import {
  freeSlots,
  rateAllowsAt,
  readDoor,
  refusal,
  slotExpectedAt,
  type OpenDoor,
} from './door.ts'
import { classOf, type Gate, type Resolution } from './gate-state.ts'
import { holdLease, leaseAnswer, type HeldLease } from './leases.ts'
import { chargeCall, unchargeCall } from './rate.ts'
import { isRetry, refundRetry } from './retry-budget.ts'
import { leaseHorizonAt, reserve } from './reservation.ts'
import { PLENTY_SLOTS } from './tuning.ts'
import { chooseNext, takeChoice, takeExpired, takeWhere, type Waiter } from './wait-queue.ts'

export function grant(
  gate: Gate,
  waiter: Pick<Waiter, 'ask' | 'since'>,
  door: OpenDoor,
  now: number,
): Resolution {
  const { ask } = waiter
  const { breaker, rate } = classOf(gate, ask.modelClass)
  const most = gate.account.maxConcurrent
  reserve(gate.reservation, { leases: gate.leases.held.size + 1, most, now }, gate.settings)
  const lease: HeldLease = {
    id: ask.ticket,
    tenant: ask.tenant,
    lane: ask.lane,
    modelClass: ask.modelClass,
    since: now,
    expiresAt: leaseHorizonAt(gate.reservation, gate.settings),
    probe: door.probe !== 'none',
    lastResort: ask.lastResort === true,
    granted: {
      breakerGeneration: breaker.generation,
      accountGeneration: gate.accountGeneration,
      isRetry: isRetry(ask),
      estimatedInputTokens: ask.estimatedInputTokens,
      charged: chargeCall(rate, ask.estimatedInputTokens, now),
    },
    promisedUntil: null,
    producedTokens: 0,
  }
  holdLease(gate.leases, lease)
  const deadline = now + gate.settings.breakerProbeTimeoutMs
  if (door.probe === 'breaker') addProbe(breaker, lease.id, deadline)
  if (door.probe === 'account' && gate.hold !== null) {
    gate.hold.probe = { leaseId: lease.id, deadline }
  }
  const queuedMs = Math.max(0, now - waiter.since)
  const answer = leaseAnswer(lease, gate.epoch, now)
  return {
    ticket: ask.ticket,
    admission: {
      kind: 'admitted',
      lease: answer,
      queuedMs,
      probe: lease.probe,
      ...(hasPlenty(gate, lease) ? { plenty: true } : {}),
    },
  }
}

/** Half of the slots are free and a few at least, and nothing hangs on this call's end. */
const hasPlenty = (gate: Gate, { probe }: HeldLease): boolean =>
  !probe &&
  gate.queue.byTicket.size === 0 &&
  freeSlots(gate) >= Math.max(PLENTY_SLOTS, gate.leases.held.size)

/** The call of this lease was never made: what it was charged for comes back, its slot is not this function's. */
export function undoGrant(gate: Gate, lease: HeldLease, now: number): void {
  const { granted } = lease
  if (granted === null) return
  unchargeCall(classOf(gate, lease.modelClass).rate, granted.estimatedInputTokens, now)
  if (granted.isRetry) giveRetryBack(gate)
}

/** Lets go whoever need not wait any longer: the expired, the refused, and the next ones for each free slot. */
export function pump(gate: Gate, at: Moment): Resolution[] {
  const resolved = dropExpired(gate, at.now)
  if (gate.doorsChanged) resolved.push(...dropRefused(gate, at.now))
  const blocked = new Set<string>()
  const mayGo = (waiter: Waiter): boolean => !blocked.has(waiter.ask.modelClass)
  while (freeSlots(gate) > 0) {
    const choice = chooseNext(gate.queue, mayGo)
    if (choice === null) break
    const { ask } = choice.next.waiter
    const door = readDoor(gate, ask.modelClass, at.now)
    // A large call that its bucket does not cover yet holds its class back: smaller ones would drain it for ever.
    if (door.kind === 'shut' || rateAllowsAt(gate, ask, at.now) > at.now) {
      blocked.add(ask.modelClass)
      continue
    }
    resolved.push(grant(gate, takeChoice(gate.queue, choice), door, at.now))
  }
  return resolved
}

const dropExpired = (gate: Gate, now: number): Resolution[] =>
  takeExpired(gate.queue, now).map((waiter) => {
    const { ask, since } = waiter
    if (isRetry(ask)) giveRetryBack(gate)
    const admission = refusal('queue_timeout', slotExpectedAt(gate, now), now - since)
    return { ticket: ask.ticket, admission }
  })

/** A retry that was not made was none. */
export function giveRetryBack(gate: Gate): void {
  gate.retryBalance = refundRetry(gate.retryBalance, gate.settings.retryBudgetRatio)
}

const dropRefused = (gate: Gate, now: number): Resolution[] => {
  gate.doorsChanged = false
  if (gate.queue.byTicket.size === 0) return []
  const resolved: Resolution[] = []
  const kept = new Map<string, number>()
  const turnAway = ({ ask, since }: Waiter): boolean => {
    const door = readDoor(gate, ask.modelClass, now)
    const probing = door.kind === 'open' && door.probe !== 'none'
    const ahead = kept.get(ask.modelClass) ?? 0
    if (door.kind === 'open' && (!probing || ahead < gate.settings.breakerProbes)) {
      kept.set(ask.modelClass, ahead + 1)
      return false
    }
    const reason = door.kind === 'shut' ? door.reason : 'open'
    const retryAt = door.kind === 'shut' ? door.retryAt : slotExpectedAt(gate, now)
    resolved.push({ ticket: ask.ticket, admission: refusal(reason, retryAt, now - since) })
    return true
  }
  for (const { ask } of takeWhere(gate.queue, turnAway)) {
    if (isRetry(ask)) giveRetryBack(gate)
  }
  return resolved
}
