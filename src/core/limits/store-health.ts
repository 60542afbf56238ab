// Whether a store that failed is worth asking: a small breaker, so that a dead store costs its timeout now and
// then and not at every request. While it rests, one call at a time goes out to try; a try whose result never
// comes is followed by the next one, since the rest begins anew with each.

export interface StoreHealth {
  /** Results of calls that began before the last change are not believed. */
  readonly epoch: number
  readonly failuresInARow: number
  /** Null: in use. Else the next try is at `nextTryAt`, and the rest after it doubles from `restMs`. */
  readonly rest: { readonly nextTryAt: number; readonly restMs: number } | null
}

export interface StorePermit {
  readonly health: StoreHealth
  /** Null: do not ask. Else hand it back with the result. */
  readonly epoch: number | null
}

const FAILURES_TO_REST = 3
const FIRST_REST_MS = 1_000
/** With one call's timeout, recovery is seen within 5 s. */
const LONGEST_REST_MS = 4_000

export const healthy: StoreHealth = { epoch: 0, failuresInARow: 0, rest: null }

export function askStore(health: StoreHealth, now: number): StorePermit {
  const { rest, epoch } = health
  if (rest === null) return { health, epoch }
  if (now < rest.nextTryAt) return { health, epoch: null }
  const trying = { ...health, rest: { ...rest, nextTryAt: now + rest.restMs } }
  return { health: trying, epoch }
}

export function storeAnswered(health: StoreHealth, epoch: number): StoreHealth {
  if (epoch !== health.epoch || health === healthy) return health
  if (health.rest === null) return { ...health, failuresInARow: 0 }
  return { epoch: epoch + 1, failuresInARow: 0, rest: null }
}

export function storeFailed(health: StoreHealth, epoch: number, now: number): StoreHealth {
  if (epoch !== health.epoch) return health
  const failuresInARow = health.failuresInARow + 1
  if (failuresInARow < FAILURES_TO_REST) return { ...health, failuresInARow }
  const restMs =
    health.rest === null ? FIRST_REST_MS : Math.min(LONGEST_REST_MS, health.rest.restMs * 2)
  return { epoch: epoch + 1, failuresInARow, rest: { nextTryAt: now + restMs, restMs } }
}
