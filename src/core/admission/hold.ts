// What closes a whole account, whatever the model: an operator, a refused credential, a reached spend limit.
// The last two let one probe through after a long while; an operator's word stands until an operator changes it.
import type { GateSettings } from './settings.ts'

export type HoldReason = 'manual' | 'quarantined' | 'parked'

export interface Hold {
  readonly reason: HoldReason
  readonly since: number
  /** When one call may try again; null: not before an operator acts. */
  probeAt: number | null
  probe: { readonly leaseId: string; deadline: number } | null
}

/**
 * A spend limit is lifted by a person, in minutes at best: the longest cool-down fits. A refused credential may have been
 * one word about one request: a call in each base cool-down is a small price for not losing the account.
 */
export const nextHoldProbeAt = (reason: HoldReason, now: number, settings: GateSettings): number =>
  now +
  (reason === 'quarantined'
    ? settings.breakerCooldownMs
    : Math.max(settings.breakerCooldownMaxMs, settings.breakerCooldownMs))

export const newHold = (reason: HoldReason, now: number, settings: GateSettings): Hold => ({
  reason,
  since: now,
  probeAt: reason === 'manual' ? null : nextHoldProbeAt(reason, now, settings),
  probe: null,
})

export const isHoldProbeDue = (hold: Hold, now: number): boolean =>
  hold.probeAt !== null && hold.probe === null && now >= hold.probeAt

/** A probe that is not heard of by its deadline counts as refused. */
export function advanceHold(hold: Hold, now: number, settings: GateSettings): void {
  if (hold.probe === null || now < hold.probe.deadline) return
  hold.probe = null
  hold.probeAt = nextHoldProbeAt(hold.reason, now, settings)
}
