// Watches one upstream call: its four deadlines, its lease's renewal, the caller's presence, and silence. One timer
// for all of it, set to what is due next, so that a chunk of a stream costs no timer.
import type { FailureCause } from '../core/admission/admission.ts'

export interface WatchSettings {
  readonly firstByteTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly totalTimeoutMs: number
  readonly pingMs: number
  readonly renewMs: number
}

export interface WatchOptions {
  readonly settings: WatchSettings
  readonly callerSignal: AbortSignal
  /** When the caller's request came: the total deadline counts from here, over all attempts. */
  readonly requestedAt: number
  now(): number
  renew(progress: { readonly answering: boolean }): void
}

export type Interruption = FailureCause | 'caller_gone'

export class Watch {
  /** Aborts the upstream call. */
  readonly signal: AbortSignal
  /** Why the call was aborted; null while it was not. */
  interruption: Interruption | null = null
  readonly #options: WatchOptions
  readonly #controller = new AbortController()
  #timer: ReturnType<typeof setTimeout> | undefined
  #hasAnswered = false
  #lastByteAt: number
  #renewAt: number
  #pingAt = Infinity
  #onSilence: (() => void) | null = null

  constructor(options: WatchOptions) {
    this.#options = options
    this.signal = this.#controller.signal
    const now = options.now()
    this.#lastByteAt = now
    this.#renewAt = now + options.settings.renewMs
    if (options.callerSignal.aborted) this.#callerGone()
    else options.callerSignal.addEventListener('abort', this.#callerGone)
    this.#arm(now)
  }

  /** Bytes came: the first ones end the first-byte deadline and begin the idle one. */
  touch(): void {
    this.#lastByteAt = this.#options.now()
    if (this.#onSilence !== null) this.#pingAt = this.#lastByteAt + this.#options.settings.pingMs
    if (this.#hasAnswered) return
    this.#hasAnswered = true
    this.#arm(this.#lastByteAt)
  }

  /** From now on, calls back whenever nothing came for `pingMs`. */
  tellSilence(onSilence: () => void): void {
    this.#onSilence = onSilence
    this.#pingAt = this.#options.now() + this.#options.settings.pingMs
    this.#arm(this.#options.now())
  }

  interrupt(interruption: Interruption): void {
    if (this.interruption !== null || this.#controller.signal.aborted) return
    this.interruption = interruption
    this.#controller.abort()
    this.stop()
  }

  /** The call has ended: nothing is watched any more. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#onSilence = null
    this.#options.callerSignal.removeEventListener('abort', this.#callerGone)
  }

  readonly #callerGone = (): void => this.interrupt('caller_gone')

  #arm(now: number): void {
    clearTimeout(this.#timer)
    const due = Math.min(this.#deadline().at, this.#renewAt, this.#pingAt)
    this.#timer = setTimeout(() => this.#check(), Math.max(0, due - now))
  }

  #deadline(): { at: number; cause: FailureCause } {
    const { settings, requestedAt } = this.#options
    const totalAt = requestedAt + settings.totalTimeoutMs
    const silenceAt =
      this.#lastByteAt + (this.#hasAnswered ? settings.idleTimeoutMs : settings.firstByteTimeoutMs)
    if (totalAt <= silenceAt) return { at: totalAt, cause: 'total_timeout' }
    return { at: silenceAt, cause: this.#hasAnswered ? 'idle_timeout' : 'first_byte_timeout' }
  }

  #check(): void {
    const now = this.#options.now()
    const deadline = this.#deadline()
    if (now >= deadline.at) return this.interrupt(deadline.cause)
    if (now >= this.#renewAt) {
      this.#renewAt = now + this.#options.settings.renewMs
      this.#options.renew({ answering: this.#hasAnswered })
    }
    if (now >= this.#pingAt) {
      this.#pingAt = now + this.#options.settings.pingMs
      this.#onSilence?.()
    }
    this.#arm(now)
  }
}
