// The promises of those who wait. The core decides when a ticket is called; this only keeps the callers apart.
import type { Admission } from '../src/core/admission/admission.ts'
import type { Resolution } from '../src/core/admission/gate-state.ts'

interface Waiting {
  readonly answer: Promise<Admission>
  readonly resolve: (admission: Admission) => void
}

export class WaitingRoom {
  readonly #waiting = new Map<string, Waiting>()

  /** The answer to this ticket: among what was just decided, or whenever it is called. */
  answer(ticket: string, resolved: readonly Resolution[]): Admission | Promise<Admission> {
    const own = resolved.find((each) => each.ticket === ticket)
    this.call(resolved)
    if (own !== undefined) return own.admission
    // The same ticket may be asked for twice, by a caller whose connection broke: both get the one answer.
    const known = this.#waiting.get(ticket)
    if (known !== undefined) return known.answer
    const { promise, resolve } = Promise.withResolvers<Admission>()
    this.#waiting.set(ticket, { answer: promise, resolve })
    return promise
  }

  call(resolved: readonly Resolution[]): void {
    for (const { ticket, admission } of resolved) {
      this.#waiting.get(ticket)?.resolve(admission)
      this.#waiting.delete(ticket)
    }
  }
}
