// When an object is woken. Near moments by a timer in memory, exact and free; far ones by the object's one
// alarm, which survives it and costs a write, so it is set only if it moves earlier.

// A timer this near does not outlive the calls that keep the object in memory anyway.
const NEAR_MS = 5_000

export interface AlarmStorage {
  setAlarm(at: number): Promise<void>
}

export class AlarmClock {
  readonly #storage: AlarmStorage
  readonly #ring: () => void
  #timer: ReturnType<typeof setTimeout> | null = null
  #timerAt = Infinity
  #alarmAt = Infinity

  constructor(storage: AlarmStorage, ring: () => void) {
    this.#storage = storage
    this.#ring = ring
  }

  /** The alarm rang: it is no longer set. */
  rang(): void {
    this.#alarmAt = Infinity
  }

  /** Wakes the object at this moment at the latest, if it is still there. */
  wakeAt(at: number | null, now: number): void {
    if (at === null) return
    if (at - now > NEAR_MS) return this.alarmAt(at)
    if (at >= this.#timerAt) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timerAt = at
    this.#timer = setTimeout(() => this.#fire(), Math.max(0, at - now))
  }

  /** Wakes the object at this moment even if it is gone by then. */
  alarmAt(at: number): void {
    if (at >= this.#alarmAt) return
    this.#alarmAt = at
    // Not awaited: the output gate holds every answer until it is set, and a failure resets the object.
    void this.#storage.setAlarm(at)
  }

  #fire(): void {
    this.#timer = null
    this.#timerAt = Infinity
    this.#ring()
  }
}
