// What a caller is told who is over a request limit: each limit that refuses, and when a request would be let in.
import { isTenantWindow } from '../core/limits/request-windows.ts'
import { GatewayError, type Reason } from '../core/errors.ts'
import type { LimitRefusal, LimitWindow } from '../ports.ts'
import { limitHeaders } from './limit-headers.ts'

export function limitError(decision: LimitRefusal, now: number): GatewayError {
  const { refusedBy, windows, retryAfterMs } = decision
  const named = windows.filter(({ name }) => refusedBy.includes(name)).map(describe)
  const over = named.length === 0 ? '' : `: ${named.join(', ')}`
  return new GatewayError(reasonOf(refusedBy), `Rate limit reached${over}`, {
    retryAfterMs,
    headers: limitHeaders(windows, now),
  })
}

/** The tenant's own first: that is what its operator can change. */
function reasonOf(refusedBy: readonly LimitWindow['name'][]): Reason {
  if (refusedBy.some((name) => isTenantWindow({ name }))) return 'tenant_requests'
  return refusedBy.includes('address') ? 'ip_requests' : 'global_requests'
}

function describe({ name, limit }: LimitWindow): string {
  if (name === 'address') return `${limit} requests a minute from one address`
  return name === 'deployment'
    ? `${limit} requests a minute in all`
    : `${limit} requests a ${name} of this key's tenant`
}
