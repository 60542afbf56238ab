// How long a call may go on with a lease that nobody confirms any more. It must be over before the gate may give the
// slot to another: a little earlier than the expiry, for clocks that differ and an abort on its way.

export interface LeaseTimes {
  readonly leaseTtlMs: number
  readonly leaseRenewMs: number
}

const MARGIN_MAX_MS = 500
/** Of the time that a holder has to renew in: one that renews as late as it may must not lose its lease by this. */
const MARGIN_SHARE = 8

export function holdsUntil(expiresAt: number, { leaseTtlMs, leaseRenewMs }: LeaseTimes): number {
  const spareMs = Math.max(0, leaseTtlMs - leaseRenewMs)
  return expiresAt - Math.min(MARGIN_MAX_MS, Math.floor(spareMs / MARGIN_SHARE))
}
