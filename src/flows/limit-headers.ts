// A tenant's request windows as headers: in the IETF draft's form, and in Claude's own, so that its clients see how
// much of their limit is left.
import { isTenantWindow } from '../core/limits/request-windows.ts'
import { rateLimitHeaders } from '../core/limits/headers.ts'
import type { LimitWindow } from '../ports.ts'

export function limitHeaders(all: readonly LimitWindow[], now: number): Record<string, string> {
  // What holds around all tenants is nobody's to see.
  const windows = all.filter(isTenantWindow)
  const [tightest] = windows
  if (tightest === undefined) return {}
  const name = 'anthropic-ratelimit-requests'
  return {
    ...rateLimitHeaders(windows),
    [`${name}-limit`]: String(tightest.limit),
    [`${name}-remaining`]: String(tightest.remaining),
    // Whole seconds, as Claude's own.
    [`${name}-reset`]: `${new Date(now + tightest.resetSeconds * 1000).toISOString().slice(0, 19)}Z`,
  }
}
