// Work that goes on after an answer. Workers have `waitUntil` for it; a process has this, and waits for it before
// it ends.
export class Deferred {
  readonly #pending = new Set<Promise<void>>()
  readonly #onFailure: (error: unknown) => void

  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure
  }

  add(work: Promise<unknown>): void {
    const tracked: Promise<void> = work
      .then(() => {}, this.#onFailure)
      .finally(() => this.#pending.delete(tracked))
    this.#pending.add(tracked)
  }

  /** Resolves once nothing is left, what joined meanwhile included. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending)
  }
}
