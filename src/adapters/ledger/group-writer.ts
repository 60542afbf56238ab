// When ledgers are written: what happens within a moment goes in one transaction. What must be on the disk before it is
// acknowledged goes at once if it is alone, with the next group if it is not.

// A disk write for each call costs several times the call.
const GROUP_MS = 50
const RETRY_MS = 1_000

export interface GroupWriterOptions {
  /** Writes all that is unsaved, or throws. */
  readonly save: () => void
  readonly now: () => number
  readonly onFailed?: (error: unknown) => void
}

export class GroupWriter {
  readonly #options: GroupWriterOptions
  #group: PromiseWithResolvers<void> | null = null
  #timer: ReturnType<typeof setTimeout> | null = null
  #writtenAt = -Infinity

  constructor(options: GroupWriterOptions) {
    this.#options = options
  }

  soon(): void {
    this.#timer ??= setTimeout(() => this.write(), GROUP_MS)
  }

  /** Resolves once all that is unsaved now is on the disk; rejects when it could not be written. */
  kept(): Promise<void> {
    this.#group ??= silenced(Promise.withResolvers<void>())
    const { promise } = this.#group
    if (this.#options.now() - this.#writtenAt >= GROUP_MS) this.write()
    else this.soon()
    return promise
  }

  /** At once. */
  write(): void {
    this.stop()
    const group = this.#group
    this.#group = null
    try {
      this.#options.save()
    } catch (error) {
      // It stays unsaved: whoever waited says it again, and the rest goes with the next group.
      this.#options.onFailed?.(error)
      this.#timer = setTimeout(() => this.write(), RETRY_MS)
      group?.reject(error)
      return
    }
    this.#writtenAt = this.#options.now()
    group?.resolve()
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}

/** Nobody may be waiting when it fails. */
function silenced(group: PromiseWithResolvers<void>): PromiseWithResolvers<void> {
  group.promise.catch(() => {})
  return group
}
