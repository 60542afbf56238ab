// Runners that wait to hear whether they may go on: told at once where they may not, and after a while that they may.

export class RunWaits {
  readonly #waiting = new Map<string, Set<() => void>>()

  /** Resolves after so long, or as soon as the job's runner must look again. */
  wait(id: string, forMs: number): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(id) ?? new Set()
      this.#waiting.set(id, waiting)
      const wake = (): void => {
        clearTimeout(timer)
        waiting.delete(wake)
        if (waiting.size === 0) this.#waiting.delete(id)
        resolve()
      }
      const timer = setTimeout(wake, forMs)
      waiting.add(wake)
    })
  }

  wake(id: string): void {
    for (const each of this.#waiting.get(id) ?? []) each()
  }

  stop(): void {
    for (const id of this.#waiting.keys()) this.wake(id)
  }
}
