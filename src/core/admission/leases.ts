// The slots that are out, in order of expiry. A lease ends once: settled, cancelled or expired; what ended is
// remembered for a while, so that a late word about it cannot bring it back.
import type { Lane, Lease, LeaseWitness } from './admission.ts'
import { ENDED_REMEMBERED } from './tuning.ts'

export interface HeldLease {
  readonly id: string
  readonly tenant: string
  readonly lane: Lane
  readonly modelClass: string
  /** Epoch ms of the grant. */
  readonly since: number
  expiresAt: number
  readonly probe: boolean
  readonly lastResort: boolean
  /** The breaker's and the account's generations at the grant; null: granted by a former epoch. */
  readonly granted: GrantMark | null
  /**
   * Not null: taken over from a former epoch that may itself give the slot to another at this moment. The lease
   * is counted, but nothing beyond that moment is promised to its holder.
   */
  readonly promisedUntil: number | null
  /** Output that its renewals have told, and that was charged. */
  producedTokens: number
}

export interface GrantMark {
  readonly breakerGeneration: number
  readonly accountGeneration: number
  readonly isRetry: boolean
  readonly estimatedInputTokens: number
  /** What the class had been charged in all, this call included: see rate.ts. */
  readonly charged: ChargeTotals | null
}

export interface ChargeTotals {
  readonly requests: number
  readonly inputTokens: number
  readonly outputTokens: number
}

export interface Leases {
  /** Ordered by expiry: every grant and renewal gets the latest one, and goes to the end. */
  readonly held: Map<string, HeldLease>
  ended: Set<string>
  endedBefore: Set<string>
}

export const newLeases = (): Leases => ({
  held: new Map(),
  ended: new Set(),
  endedBefore: new Set(),
})

export function rememberEnded(leases: Leases, id: string): void {
  leases.ended.add(id)
  if (leases.ended.size < ENDED_REMEMBERED) return
  leases.endedBefore = leases.ended
  leases.ended = new Set()
}

export const hasEnded = (leases: Leases, id: string): boolean =>
  leases.ended.has(id) || leases.endedBefore.has(id)

export function holdLease(leases: Leases, lease: HeldLease): void {
  leases.held.set(lease.id, lease)
}

export function extendLease(leases: Leases, lease: HeldLease, expiresAt: number): void {
  lease.expiresAt = Math.max(lease.expiresAt, expiresAt)
  leases.held.delete(lease.id)
  leases.held.set(lease.id, lease)
}

/** The lease as it stood, or null where it is not held; afterwards it is free. */
export function endLease(leases: Leases, id: string): HeldLease | null {
  const lease = leases.held.get(id) ?? null
  leases.held.delete(id)
  rememberEnded(leases, id)
  return lease
}

/**
 * Frees every lease whose time is over. An expired lease is not remembered as ended: its holder may be alive
 * after all, and a renewal then counts it again.
 */
export function expireLeases(leases: Leases, now: number): HeldLease[] {
  const expired: HeldLease[] = []
  for (const lease of leases.held.values()) {
    if (lease.expiresAt > now) break
    expired.push(lease)
    leases.held.delete(lease.id)
  }
  return expired
}

export function nextExpiryAt(leases: Leases): number {
  for (const lease of leases.held.values()) return lease.expiresAt
  return Infinity
}

export interface Adoption {
  readonly id: string
  readonly witness: LeaseWitness | null
  readonly promisedUntil: number | null
  readonly producedTokens: number
}

/** A lease that another epoch granted, or that expired here, and whose holder is alive. */
export const adoptLease = (
  { id, witness, promisedUntil, producedTokens }: Adoption,
  now: number,
  expiresAt: number,
): HeldLease => ({
  id,
  tenant: witness?.tenant ?? '',
  lane: witness?.lane ?? 'normal',
  modelClass: witness?.modelClass ?? '',
  since: witness?.since ?? now,
  expiresAt,
  probe: false,
  lastResort: false,
  granted: null,
  promisedUntil,
  producedTokens,
})

export function leaseAnswer(lease: HeldLease, epoch: number, now: number): Lease {
  const { id, promisedUntil } = lease
  const bounded = promisedUntil !== null && now < promisedUntil
  return { id, epoch, expiresAt: bounded ? promisedUntil : lease.expiresAt }
}
