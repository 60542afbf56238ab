// A tenant's request windows as headers: in the IETF draft's form, and in Claude's own, so that its clients see how
// much of their limit is left.
import { rateLimitHeaders } from '../core/limits/headers.ts'
import type { LimitWindow } from '../ports.ts'

export function limitHeaders(windows: readonly LimitWindow[]): Record<string, string> {
  return { ...rateLimitHeaders(windows) }
}
