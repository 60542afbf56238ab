// Why an account would turn the next call away: the one line that an operator looks for first.
import type { AccountLimits, RefusalReason } from './admission.ts'
import { freeSlots, readDoor } from './door.ts'
import type { Gate } from './gate-state.ts'
import { mayGoAt } from './rate.ts'

export interface Unused {
  readonly reason: RefusalReason
  /** Epoch ms; null: not before an operator acts, or a call ends. */
  readonly until: number | null
}

/** Null: some class of models would be let in. `account`: its present numbers, which the gate may not have heard. */
export function whyUnused(gate: Gate, account: AccountLimits, now: number): Unused | null {
  if (account.draining) return { reason: 'draining', until: null }
  // One word for all classes, of the class that comes back first. A gate that was never asked knows none.
  const names = gate.classes.size === 0 ? ['any'] : [...gate.classes.keys()]
  let soonest: Unused | null = null
  for (const name of names) {
    const unused = whyClassUnused(gate, name, now)
    if (unused === null) {
      soonest = null
      break
    }
    if (soonest === null || (unused.until ?? Infinity) < (soonest.until ?? Infinity))
      soonest = unused
  }
  if (soonest !== null) return soonest
  return freeSlots(gate) > 0 ? null : { reason: 'full', until: null }
}

const whyClassUnused = (gate: Gate, name: string, now: number): Unused | null => {
  const known = gate.classes.get(name)
  if (gate.hold === null && known === undefined) return null
  const door = readDoor(gate, name, now)
  if (door.kind === 'shut') return { reason: door.reason, until: door.retryAt }
  const allowedAt = known === undefined ? now : mayGoAt(known.rate, 1, now)
  return allowedAt > now ? { reason: 'throttled', until: allowedAt } : null
}
