// Whether some tenant allows a browser origin, remembered for as long as a key is trusted.
import type { Services } from '../ports.ts'

/** Origins are an open set that anyone may send: bounded, oldest out first. */
const MAX_ORIGINS = 1_000

interface Known {
  readonly allowed: Promise<boolean>
  readonly until: number
}

export function createOriginCheck(services: Services): (origin: string) => Promise<boolean> {
  const known = new Map<string, Known>()
  return (origin) => {
    const now = services.now()
    const found = known.get(origin)
    if (found !== undefined && now < found.until) return found.allowed
    // An unreachable store allows no origin: the browser is told no, a caller without one is not touched.
    const allowed = services.keys.allowsOrigin(origin).catch(() => {
      known.delete(origin)
      return false
    })
    known.delete(origin)
    known.set(origin, { allowed, until: now + services.config.keys.cacheMs })
    if (known.size > MAX_ORIGINS) known.delete(known.keys().next().value ?? origin)
    return allowed
  }
}
