// A call under way that several requests wait for: what has come of it so far, as plain bytes, since a platform's streams
// belong to the request that opened them. Whoever makes the call adds to it; the others read from its beginning, each at
// its own pace, and each is woken by a promise of its own, so that it goes on in its own request.
import type { FlightFailure } from './flight-failure.ts'

export type FlightEnd =
  /** The answer of a call that was not streamed. */
  | { readonly kind: 'whole'; readonly body: Uint8Array }
  /** The end of a stream; what it says as one Message, or null: it is not complete. */
  | { readonly kind: 'ended'; readonly message: Uint8Array | null }
  | { readonly kind: 'failed'; readonly failure: FlightFailure }
  /** Another isolate keeps the answer. */
  | { readonly kind: 'kept' }
  /** Nobody makes it any more. */
  | { readonly kind: 'lost' }

/** Who makes a call says so; after that much silence it is dead. */
const SILENT_MS = 4_000
/** More of a stream is not held for those who may yet come. */
const MOST_HELD_BYTES = 8 * 1024 * 1024

export class Flight {
  readonly token: string
  /** Of the answer that its maker sees: status, headers. Null: it has not begun, or is made elsewhere. */
  headers: Readonly<Record<string, string>> | null = null
  /** What its maker was refused with, for the maker alone. */
  thrown: unknown = null
  readonly pieces: Uint8Array[] = []
  end: FlightEnd | null = null
  /** When its maker was last seen alive. */
  aliveAt: number
  /** Others may wait for it. */
  readonly isShared: boolean
  readonly #waiting = new Set<() => void>()
  #readers = 0
  #bytes = 0
  #onAbandoned: (() => void) | null = null

  constructor(token: string, now: number, isShared: boolean) {
    this.token = token
    this.isShared = isShared
    this.aliveAt = now
  }

  get readers(): number {
    return this.#readers
  }

  /** True: it has not become too long for others to begin with it. */
  get isOpen(): boolean {
    return this.#bytes <= MOST_HELD_BYTES
  }

  push(piece: Uint8Array): void {
    this.pieces.push(piece)
    this.#bytes += piece.byteLength
    this.wake()
  }

  /** The first end counts. */
  finish(end: FlightEnd): void {
    this.end ??= end
    this.wake()
  }

  wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }

  /** Resolves when something has happened, or when the time is over. To be called by the request that waits. */
  async changed(withinMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, withinMs)
    this.#waiting.add(resolve)
    await promise
    this.#waiting.delete(resolve)
    clearTimeout(timer)
  }

  /** Ended, or its maker is gone without a word. */
  isOver(now: number): boolean {
    if (this.end === null && now - this.aliveAt > SILENT_MS) this.finish({ kind: 'lost' })
    return this.end !== null
  }

  /** To be left once. */
  join(): () => void {
    let isIn = true
    this.#readers += 1
    return () => {
      if (!isIn) return
      isIn = false
      this.#readers -= 1
      if (this.#readers === 0) this.#onAbandoned?.()
    }
  }

  /** Resolves, in the request that asks, each time nobody here reads it any more. */
  abandoned(): Promise<void> {
    if (this.#readers === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onAbandoned = resolve
    })
  }
}
