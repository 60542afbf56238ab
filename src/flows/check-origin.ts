// Whether some tenant or token allows a browser origin, remembered for as long as a key is trusted.
import { BoundedMap } from '../core/limits/bounded-map.ts'
import { MAX_TOKEN_TTL_SECONDS } from '../core/keys/browser-token.ts'
import type { Services } from '../ports.ts'

/** Origins are an open set that anyone may send: bounded, oldest out first. */
const MAX_ORIGINS = 1_000
/** Longer than any token lives, so that an origin is written once an hour however many tokens are made for it. */
const ALLOWED_MS = 2 * MAX_TOKEN_TTL_SECONDS * 1000

interface Known {
  readonly allowed: Promise<boolean>
  readonly until: number
}

export interface OriginCheck {
  isAllowed(origin: string): Promise<boolean>
  /** A token for this origin was made. Throws when that cannot be kept. */
  allow(origin: string, tokenExpiresAt: number): Promise<void>
}

export function createOriginCheck(services: Services): OriginCheck {
  const known = new BoundedMap<Known>(MAX_ORIGINS)
  const writtenUntil = new BoundedMap<number>(MAX_ORIGINS)
  const remember = (origin: string, allowed: Promise<boolean>): void =>
    known.set(origin, { allowed, until: services.now() + services.config.keys.cacheMs })
  return {
    isAllowed(origin) {
      const now = services.now()
      const found = known.get(origin)
      if (found !== undefined && now < found.until) return found.allowed
      // An unreachable store allows no origin: the browser is told no, a caller without one is not touched.
      const allowed = services.keys.allowsOrigin(origin, now).catch(() => {
        known.delete(origin)
        return false
      })
      remember(origin, allowed)
      return allowed
    },
    async allow(origin, tokenExpiresAt) {
      if ((writtenUntil.get(origin) ?? 0) >= tokenExpiresAt) return
      const now = services.now()
      await services.keys.allowOrigin(origin, now + ALLOWED_MS, now)
      writtenUntil.set(origin, now + ALLOWED_MS)
      // A page that was refused a moment ago is let in here at once, elsewhere when that is forgotten.
      remember(origin, Promise.resolve(true))
    },
  }
}
