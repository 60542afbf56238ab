// Watches one upstream call: its four deadlines, its lease, the caller's presence, and silence. One timer for all of
// it, set to what is due next, so that a chunk of a stream costs no timer.
import type { FailureCause } from '../core/admission/admission.ts'
import { holdsUntil, type LeaseTimes } from '../core/admission/hold-on.ts'
import type { LeaseProgress, LeaseStanding, Waits } from '../ports.ts'

export interface WatchSettings extends LeaseTimes {
  readonly connectTimeoutMs: number
  readonly firstByteTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly totalTimeoutMs: number
  readonly pingMs: number
}

export interface WatchOptions {
  readonly settings: WatchSettings
  readonly callerSignal: AbortSignal
  /** Until when the gate counts the call's lease, epoch ms. */
  readonly leaseExpiresAt: number
  now(): number
  readonly waits: Pick<Waits, 'wakeAt'>
  /** Resolves once upstream takes connections. */
  reach(signal: AbortSignal): Promise<void>
  renew(progress: LeaseProgress): Promise<LeaseStanding>
}

/**
 * `lease_lost`: the gate may have given the slot to another call, so this one must not go on. `budget_spent`: its tenant
 * may spend no more.
 */
export type BreakCause = FailureCause | 'lease_lost' | 'budget_spent'
export type Interruption = BreakCause | 'caller_gone'

/** `fetch` does not tell when it has connected: a call that had no answer after this share of the time is looked into. */
const REACH_SHARE = 0.5
/** After a renewal that went unanswered the next comes this much sooner. */
const HURRY = 4

export class Watch {
  /** Aborts the upstream call. */
  readonly signal: AbortSignal
  /** Why the call was aborted; null while it was not. */
  interruption: Interruption | null = null
  readonly #options: WatchOptions
  readonly #controller = new AbortController()
  readonly #startedAt: number
  /** Undoes what is set; undefined: nothing is. */
  #unset: (() => void) | undefined
  #timerAt = Infinity
  #isReached = false
  #hasAnswered = false
  #lastByteAt: number
  #reachAt: number
  #renewAt: number
  #heldUntil: number
  #pingAt = Infinity
  #onSilence: (() => void) | null = null
  #countOutput: () => number = () => 0

  constructor(options: WatchOptions) {
    this.#options = options
    this.signal = this.#controller.signal
    const now = options.now()
    this.#startedAt = now
    this.#lastByteAt = now
    this.#reachAt = now + options.settings.connectTimeoutMs * REACH_SHARE
    this.#renewAt = now + options.settings.leaseRenewMs
    this.#heldUntil = holdsUntil(options.leaseExpiresAt, options.settings)
    if (options.callerSignal.aborted) this.#callerGone()
    else options.callerSignal.addEventListener('abort', this.#callerGone)
    this.#arm()
  }

  /** Bytes came: the first ones end the first-byte deadline and begin the idle one. */
  touch(): void {
    this.#lastByteAt = this.#options.now()
    if (this.#onSilence !== null) this.#pingAt = this.#lastByteAt + this.#options.settings.pingMs
    if (this.#hasAnswered) return
    this.#hasAnswered = true
    this.#reachAt = Infinity
    this.#arm()
  }

  /** From now on, calls back whenever nothing came for `pingMs`. */
  tellSilence(onSilence: () => void): void {
    this.#onSilence = onSilence
    this.#pingAt = this.#options.now() + this.#options.settings.pingMs
    this.#arm()
  }

  /** From now on, each renewal tells how many tokens the stream has produced: long ones drain the account's bucket. */
  tellOutput(countTokens: () => number): void {
    this.#countOutput = countTokens
  }

  interrupt(interruption: Interruption): void {
    if (this.interruption !== null || this.#controller.signal.aborted) return
    this.interruption = interruption
    this.#controller.abort()
    this.stop()
  }

  /** The call has ended: nothing is watched any more. */
  stop(): void {
    this.#unset?.()
    this.#unset = undefined
    this.#timerAt = Infinity
    this.#onSilence = null
    this.#options.callerSignal.removeEventListener('abort', this.#callerGone)
  }

  readonly #callerGone = (): void => this.interrupt('caller_gone')

  /** A timer that comes too early finds out by itself: setting it back costs more. */
  #arm(): void {
    const due = Math.min(this.#deadline().at, this.#reachAt, this.#renewAt, this.#pingAt)
    if (due >= this.#timerAt) return
    this.#unset?.()
    this.#timerAt = due
    this.#unset = this.#options.waits.wakeAt(due, this.#check)
  }

  #deadline(): { at: number; cause: BreakCause } {
    const silence = this.#silenceEnds()
    const totalAt = this.#startedAt + this.#options.settings.totalTimeoutMs
    const first = totalAt <= silence.at ? { at: totalAt, cause: 'total_timeout' as const } : silence
    return this.#heldUntil < first.at ? { at: this.#heldUntil, cause: 'lease_lost' } : first
  }

  #silenceEnds(): { at: number; cause: FailureCause } {
    const { connectTimeoutMs, firstByteTimeoutMs, idleTimeoutMs } = this.#options.settings
    if (this.#hasAnswered) return { at: this.#lastByteAt + idleTimeoutMs, cause: 'idle_timeout' }
    if (!this.#isReached && connectTimeoutMs < firstByteTimeoutMs) {
      return { at: this.#startedAt + connectTimeoutMs, cause: 'connect_timeout' }
    }
    return { at: this.#startedAt + firstByteTimeoutMs, cause: 'first_byte_timeout' }
  }

  readonly #check = (): void => {
    this.#timerAt = Infinity
    const now = this.#options.now()
    const deadline = this.#deadline()
    if (now >= deadline.at) return this.interrupt(deadline.cause)
    if (now >= this.#reachAt) {
      this.#reachAt = Infinity
      void this.#options.reach(this.signal).then(this.#reached)
    }
    if (now >= this.#renewAt) {
      this.#renewAt = now + this.#options.settings.leaseRenewMs
      const progress = { answering: this.#hasAnswered, outputTokens: this.#countOutput() }
      void this.#options.renew(progress).then(this.#renewed)
    }
    if (now >= this.#pingAt) {
      this.#pingAt = now + this.#options.settings.pingMs
      this.#onSilence?.()
    }
    this.#arm()
  }

  readonly #reached = (): void => {
    this.#isReached = true
    if (this.#unset !== undefined) this.#arm()
  }

  readonly #renewed = (standing: LeaseStanding): void => {
    if (this.#unset === undefined) return
    const { settings } = this.#options
    const now = this.#options.now()
    if (standing.kind === 'over') return this.interrupt('lease_lost')
    if (standing.kind === 'held') {
      this.#heldUntil = holdsUntil(standing.until, settings)
      // A gate that restarted may promise less than a whole lease.
      this.#renewAt = Math.min(this.#renewAt, (now + this.#heldUntil) / 2)
    } else this.#renewAt = Math.min(this.#renewAt, now + settings.leaseRenewMs / HURRY)
    this.#arm()
  }
}
