// Settlements that met an overloaded gate. To say them again at once would add to what overloads it, and to drop them
// would keep their slots for a lease's time, when the gate needs them most: each is said again behind a settlement
// that the gate has taken, so never more than one for one, and never to a gate that is still overloaded.
import type { Settlement } from '../../core/admission/admission.ts'

// Far more than an isolate has in flight; beyond, the oldest slot comes home by its expiry.
const OWED_MAX = 1_000

export class OwedSettlements {
  readonly #owed = new Map<string, Settlement[]>()

  keep(account: string, settlement: Settlement): void {
    const owed = this.#owed.get(account) ?? []
    owed.push(settlement)
    if (owed.length > OWED_MAX) owed.shift()
    this.#owed.set(account, owed)
  }

  /** The oldest, so many at most. */
  take(account: string, most: number): readonly Settlement[] {
    const owed = this.#owed.get(account)
    const next = owed?.splice(0, most) ?? []
    if (owed?.length === 0) this.#owed.delete(account)
    return next
  }
}
