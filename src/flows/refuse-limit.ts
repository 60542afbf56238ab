// What a caller is told who is over a request limit: each limit that refuses, and when a request would be let in.
import { refusalOfTenant, type ToldLimit } from '../core/answering/tenant-refusal.ts'
import { isTenantWindow } from '../core/limits/request-windows.ts'
import type { GatewayError, Reason } from '../core/errors.ts'
import type { LimitRefusal, LimitWindow } from '../ports.ts'
import { limitHeaders } from './limit-headers.ts'

export const limitError = (decision: LimitRefusal, now: number): GatewayError =>
  refusalOfTenant(toldWindows(decision, now), now, limitHeaders(decision.windows, now))

/** The tenant's own first: that is what its operator can change. */
export function toldWindows(
  { refusedBy, windows, retryAfterMs }: LimitRefusal,
  now: number,
): ToldLimit[] {
  const retryAt = Math.ceil(now + retryAfterMs)
  const told = windows
    .filter(({ name }) => refusedBy.includes(name))
    .map((window) => ({ reason: reasonOf(window), limit: describe(window), retryAt }))
  // A store that is told to refuse without it says of no window why.
  if (told.length === 0) return [{ reason: 'tenant_requests', limit: 'requests', retryAt }]
  return told.toSorted((a, b) => Number(isOwn(b)) - Number(isOwn(a)))
}

const isOwn = ({ reason }: ToldLimit): boolean => reason === 'tenant_requests'

function reasonOf(window: LimitWindow): Reason {
  if (isTenantWindow(window)) return 'tenant_requests'
  return window.name === 'address' ? 'ip_requests' : 'global_requests'
}

function describe({ name, limit }: LimitWindow): string {
  if (name === 'address') return `${limit} requests a minute from one address`
  return name === 'deployment'
    ? `${limit} requests a minute in all`
    : `${limit} requests a ${name} of this key's tenant`
}
