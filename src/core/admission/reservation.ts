// How slots stay counted across restarts without a disk write for each call. The gate persists a promise,
// `at most R slots are out, none of them past writtenAt + ttl, and none is granted after writtenAt + grace`,
// and writes again only when R grows or the grace runs out. A successor counts R as taken until then. A gate
// that was replaced can no longer write, so it stops granting by itself when its grace ends.
import type { LeaseWitness } from './admission.ts'
import type { GateSettings } from './settings.ts'
import {
  CLOCK_SKEW_MS,
  GRACE_MAX_MS,
  GRACE_SHARE,
  IDLE_RELEASE_MS,
  RESERVE_AHEAD_SHARE,
} from './tuning.ts'

export interface Reservation {
  slots: number
  writtenAt: number
  /** The last grant, renewal or settlement. */
  usedAt: number
  /** True: to be written before any answer leaves. */
  unsaved: boolean
}

/** What one former epoch of this gate may still have out. */
export interface Predecessor {
  readonly epoch: number
  slots: number
  /** A stale twin of it may still grant until then. */
  readonly grantsUntil: number
  readonly takenUntil: number
}

export interface ReservationRecord {
  readonly epoch: number
  readonly slots: number
  readonly writtenAt: number
  readonly graceMs: number
  readonly ttlMs: number
}

export function graceMs({ leaseTtlMs, leaseRenewMs }: GateSettings): number {
  // A lease may lose this much of its time; a holder that renews as late as the settings allow must not lose it.
  const spare = Math.max(0, Math.floor((leaseTtlMs - leaseRenewMs) / 2))
  return Math.min(GRACE_MAX_MS, Math.floor(leaseTtlMs * GRACE_SHARE), spare)
}

export const newReservation = (): Reservation => ({
  slots: 0,
  writtenAt: -Infinity,
  usedAt: -Infinity,
  unsaved: false,
})

export interface Need {
  /** Leases that must be covered. */
  readonly leases: number
  /** What the account allows at most: more is not reserved ahead. */
  readonly most: number
  readonly now: number
}

/** Makes room for so many leases; where that needs a new promise, it is marked to be written. */
export function reserve(reservation: Reservation, need: Need, settings: GateSettings): void {
  const { leases, most, now } = need
  reservation.usedAt = now
  const graceOver = now >= reservation.writtenAt + graceMs(settings)
  if (leases <= reservation.slots && !graceOver) return
  reservation.slots = Math.max(
    leases,
    Math.min(most, leases + Math.ceil(leases * RESERVE_AHEAD_SHARE)),
  )
  reservation.writtenAt = Math.max(now, reservation.writtenAt)
  reservation.unsaved = true
}

/** No lease under the present promise may live longer than this. */
export const leaseHorizonAt = (reservation: Reservation, settings: GateSettings): number =>
  reservation.writtenAt + settings.leaseTtlMs

export function releaseWhenIdle(reservation: Reservation, leases: number, now: number): void {
  if (now < idleReleaseAt(reservation, leases)) return
  reservation.slots = 0
  reservation.unsaved = true
}

export const idleReleaseAt = (reservation: Reservation, leases: number): number =>
  leases > 0 || reservation.slots === 0 ? Infinity : reservation.usedAt + IDLE_RELEASE_MS

export const predecessorOf = (record: ReservationRecord): Predecessor => ({
  epoch: record.epoch,
  slots: record.slots,
  grantsUntil: record.writtenAt + record.graceMs + CLOCK_SKEW_MS,
  takenUntil: record.writtenAt + record.ttlMs + CLOCK_SKEW_MS,
})

/**
 * Whether a stale twin of the predecessor could give this lease's slot to another before it must stop granting.
 * Null where it could not, and where no predecessor knows the lease; else the moment of it.
 */
export function mayBeRegrantedAt(
  predecessors: readonly Predecessor[],
  witness: LeaseWitness | null,
): number | null {
  const former = predecessors.find((each) => each.epoch === witness?.epoch)
  if (witness === null || former === undefined) return null
  return witness.heldUntil <= former.grantsUntil ? witness.heldUntil : null
}

/**
 * One of a predecessor's leases is accounted for: it ended, or lives on here. It frees one of the predecessor's
 * slots only if its holder is sure of it, and if a stale twin, which knows nothing of this, keeps the slot for it
 * until it can give it to nobody.
 */
export function claimSlot(
  predecessors: readonly Predecessor[],
  witness: LeaseWitness | null,
): void {
  if (witness === null || !witness.certain) return
  const former = predecessors.find((each) => each.epoch === witness.epoch)
  if (former === undefined || mayBeRegrantedAt(predecessors, witness) !== null) return
  former.slots = Math.max(0, former.slots - 1)
}

/** Drops what can no longer be out. */
export const advancePredecessors = (
  predecessors: readonly Predecessor[],
  now: number,
): Predecessor[] => predecessors.filter((each) => each.slots > 0 && now < each.takenUntil)

export const countPredecessorSlots = (predecessors: readonly Predecessor[]): number => {
  let slots = 0
  for (const each of predecessors) slots += each.slots
  return slots
}

export function nextPredecessorWakeAt(predecessors: readonly Predecessor[]): number {
  let next = Infinity
  for (const each of predecessors) {
    next = Math.min(next, each.takenUntil)
  }
  return next
}
