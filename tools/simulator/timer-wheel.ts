// One timer for thousands of paced streams: callbacks wait in slots of a millisecond. Waits longer
// than the wheel go to a timer of their own, so an idle wheel does not tick.
const SLOTS = 1_024

interface Waiting {
  tick: number
  run: () => void
}

export class TimerWheel {
  #slots: Waiting[][] = Array.from({ length: SLOTS }, () => [])
  #count = 0
  #tick = 0
  #timer: NodeJS.Timeout | undefined
  #long = new Set<NodeJS.Timeout>()

  /** Milliseconds of the monotonic clock that `at` takes. */
  now(): number {
    return performance.now()
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.now() + delayMs, run)
  }

  at(dueMs: number, run: () => void): void {
    const now = this.now()
    if (dueMs - now >= SLOTS - 24) return this.#atLong(dueMs, run)
    if (this.#count === 0) this.#tick = Math.floor(now)
    const tick = Math.max(Math.ceil(dueMs), this.#tick + 1)
    this.#slots[tick % SLOTS]?.push({ tick, run })
    this.#count++
    this.#timer ??= setTimeout(this.#turn, 1)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const timer of this.#long) clearTimeout(timer)
    this.#long.clear()
    this.#slots = Array.from({ length: SLOTS }, () => [])
    this.#count = 0
  }

  #atLong(dueMs: number, run: () => void): void {
    const timer = setTimeout(
      () => {
        this.#long.delete(timer)
        run()
      },
      Math.ceil(dueMs - this.now()),
    )
    this.#long.add(timer)
  }

  #turn = (): void => {
    this.#timer = undefined
    const last = Math.floor(this.now())
    // After a long pause of the process one full turn empties every slot.
    const first = Math.max(this.#tick + 1, last - SLOTS + 1)
    for (let tick = first; tick <= last; tick++) this.#runSlot(tick % SLOTS, last)
    this.#tick = Math.max(this.#tick, last)
    if (this.#count > 0) this.#timer ??= setTimeout(this.#turn, 1)
  }

  #runSlot(slot: number, last: number): void {
    const waiting = this.#slots[slot]
    if (waiting === undefined || waiting.length === 0) return
    this.#slots[slot] = []
    for (const item of waiting) {
      if (item.tick > last) {
        this.#slots[slot]?.push(item)
        continue
      }
      this.#count--
      item.run()
    }
  }
}
