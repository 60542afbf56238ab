// May this call go now, wait, or must it be turned away? Looks at everything but the order of those who wait:
// the operator's word, the account's credential and spend limit, the breaker, the buckets, the free slots.
import type { AdmissionAsk, Refusal, RefusalReason } from './admission.ts'
import { nextBreakerWakeAt, probesOut } from './breaker.ts'
import { classOf, countInUse, type Gate } from './gate-state.ts'
import { isHoldProbeDue } from './hold.ts'
import { readLimit } from './limit.ts'
import { mayGoAt } from './rate.ts'

export type Door =
  | { readonly kind: 'open'; readonly probe: 'none' | 'breaker' | 'account' }
  | {
      readonly kind: 'shut'
      readonly reason: RefusalReason
      readonly retryAt: number | null
    }

export type OpenDoor = Extract<Door, { readonly kind: 'open' }>

const OPEN: Door = { kind: 'open', probe: 'none' }
const BREAKER_PROBE: Door = { kind: 'open', probe: 'breaker' }
const ACCOUNT_PROBE: Door = { kind: 'open', probe: 'account' }

/** The doors of account and model class, whatever the slots. */
export function readDoor(gate: Gate, modelClass: string, now: number): Door {
  if (gate.account.draining) return { kind: 'shut', reason: 'draining', retryAt: null }
  if (gate.hold !== null) return readHold(gate.hold, now)
  const { breaker } = classOf(gate, modelClass)
  if (breaker.phase.kind === 'closed') return OPEN
  if (breaker.phase.kind === 'half_open' && probesOut(breaker) < gate.settings.breakerProbes) {
    return BREAKER_PROBE
  }
  return { kind: 'shut', reason: 'open', retryAt: nextBreakerWakeAt(breaker) }
}

const readHold = (hold: NonNullable<Gate['hold']>, now: number): Door => {
  if (isHoldProbeDue(hold, now)) return ACCOUNT_PROBE
  const reason = hold.reason === 'manual' ? 'open' : hold.reason
  return { kind: 'shut', reason, retryAt: hold.probe?.deadline ?? hold.probeAt }
}

/** Whether the doors let some class in, full or not. */
export function isUsable(gate: Gate, now: number): boolean {
  if (gate.account.draining) return false
  if (gate.hold !== null) return readHold(gate.hold, now).kind === 'open'
  if (gate.classes.size === 0) return true
  return [...gate.classes.keys()].some((name) => readDoor(gate, name, now).kind === 'open')
}

export const freeSlots = (gate: Gate): number =>
  readLimit(gate.limit, gate.account) - countInUse(gate)

/** When the account's own buckets let this call through; at once where that is past. */
export const rateAllowsAt = (gate: Gate, ask: AdmissionAsk, now: number): number =>
  mayGoAt(classOf(gate, ask.modelClass).rate, ask.estimatedInputTokens, now)

/**
 * Nobody queues behind a probe: while the breaker tests the water a call may wait for a slot only as long as
 * it would itself be one of the probes.
 */
export function mayQueue(gate: Gate, ask: AdmissionAsk, door: Door): boolean {
  if (door.kind === 'shut' || door.probe === 'account') return false
  if (door.probe === 'none') return true
  const wanting = gate.queue.byClass.get(ask.modelClass) ?? 0
  const out = probesOut(classOf(gate, ask.modelClass).breaker)
  return out + wanting < gate.settings.breakerProbes
}

/** When a slot may be free for one more, by how long leases were held of late. */
export function slotExpectedAt(gate: Gate, now: number): number {
  const slots = Math.max(1, readLimit(gate.limit, gate.account))
  const ahead = gate.queue.byTicket.size + 1
  return now + Math.ceil((gate.holdMs * ahead) / slots)
}

export const refusal = (
  reason: RefusalReason,
  retryAt: number | null,
  queuedMs: number,
): { readonly kind: 'refused'; readonly refusal: Refusal } => ({
  kind: 'refused',
  refusal: { reason, retryAt, queuedMs },
})
