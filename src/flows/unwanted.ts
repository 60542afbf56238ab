// A signal of our own: the platform's costs a call into it for each listener, and here nobody outside listens.

/** As much of a signal as the flows need; the platform's has it too. */
export interface LeavingSignal {
  readonly aborted: boolean
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** Aborted once, by its maker. */
export class Unwanted implements LeavingSignal {
  aborted = false
  readonly #listeners = new Set<() => void>()

  addEventListener(_: 'abort', listener: () => void): void {
    this.#listeners.add(listener)
  }

  removeEventListener(_: 'abort', listener: () => void): void {
    this.#listeners.delete(listener)
  }

  readonly abort = (): void => {
    if (this.aborted) return
    this.aborted = true
    for (const listener of this.#listeners) listener()
    this.#listeners.clear()
  }
}
