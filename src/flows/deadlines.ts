// The deadlines of one request and of its upstream calls, on one timer: a timer costs as much as a small answer's headers, and nearly every wait
// is over long before its deadline. So the timer is set once, finds out by itself that nothing is due, and is never
// set back when a wait ends.
import type { Waits } from '../ports.ts'

const LINGER_MS = 1_000

interface Wait {
  readonly dueAt: number
  readonly give: (error: Error) => void
}

export class Deadlines implements Waits {
  readonly #waits = new Set<Wait>()
  readonly #now: () => number
  #timer: ReturnType<typeof setTimeout> | undefined
  #timerAt = Infinity

  constructor(now: () => number) {
    this.#now = now
  }

  within<T>(timeoutMs: number, answer: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const wait = { dueAt: this.#now() + timeoutMs, give: reject }
      this.#waits.add(wait)
      this.#arm(wait.dueAt)
      answer.then(
        (value) => {
          this.#waits.delete(wait)
          resolve(value)
        },
        (error: unknown) => {
          this.#waits.delete(wait)
          reject(error)
        },
      )
    })
  }

  wakeAt(at: number, wake: () => void): () => void {
    const wait = { dueAt: at, give: wake }
    this.#waits.add(wait)
    this.#arm(at)
    return () => {
      this.#waits.delete(wait)
      if (this.#waits.size === 0) this.#rest()
    }
  }

  /** A timer that is far off would outlive its request where the platform does not end it. */
  #rest(): void {
    if (this.#timerAt - this.#now() <= LINGER_MS) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#timerAt = Infinity
  }

  #arm(dueAt: number): void {
    if (dueAt >= this.#timerAt) return
    clearTimeout(this.#timer)
    this.#timerAt = dueAt
    this.#timer = setTimeout(() => this.#check(), Math.max(0, dueAt - this.#now()))
  }

  #check(): void {
    this.#timer = undefined
    this.#timerAt = Infinity
    const now = this.#now()
    let nextAt = Infinity
    for (const wait of this.#waits) {
      if (wait.dueAt <= now) {
        this.#waits.delete(wait)
        wait.give(new Error('No answer in time'))
      } else nextAt = Math.min(nextAt, wait.dueAt)
    }
    if (nextAt < Infinity) this.#arm(nextAt)
  }
}
