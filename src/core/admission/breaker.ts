// The circuit breaker of one model class of one account: may calls pass, may only probes pass, or none?
//
//   closed    --ratio over the window, or failures in a row--> open
//   open      --its time is over--------------------------->   half_open
//   half_open --enough probes served----------------------->   closed
//   half_open --a probe failed, or its deadline passed----->   open, for twice as long
//
// Each transition starts a new generation; a result that was admitted in an older one changes nothing.
// Updated in place: see gate-state.ts for the reason.
import type { GateSettings } from './settings.ts'
import { addResult, newFailureWindow, readWindow, type FailureWindow } from './failure-window.ts'
import { COOLDOWN_JITTER } from './tuning.ts'

export type BreakerPhase =
  | { readonly kind: 'closed'; failuresInARow: number; readonly window: FailureWindow }
  | { readonly kind: 'open'; readonly until: number }
  /** `probes`: lease id to deadline. */
  | { readonly kind: 'half_open'; readonly probes: Map<string, number>; successes: number }

export interface Breaker {
  phase: BreakerPhase
  generation: number
  /** Openings since the breaker was last closed: the exponent of the cool-down. */
  trips: number
}

export interface Transition {
  readonly from: BreakerPhase['kind']
  readonly to: BreakerPhase['kind']
  readonly cause: string
}

export interface CallResult {
  readonly leaseId: string
  readonly generation: number
  readonly kind: 'served' | 'failed' | 'neutral'
  readonly cause: string
  readonly lastResort: boolean
}

export interface Moment {
  readonly now: number
  /** In [0, 1). */
  readonly random: number
}

export const newBreaker = (): Breaker => ({ phase: newClosed(), generation: 0, trips: 0 })

const newClosed = (): BreakerPhase => ({
  kind: 'closed',
  failuresInARow: 0,
  window: newFailureWindow(),
})

const change = (breaker: Breaker, phase: BreakerPhase, cause: string): Transition => {
  const from = breaker.phase.kind
  breaker.phase = phase
  breaker.generation++
  return { from, to: phase.kind, cause }
}

export function cooldownMs(trips: number, random: number, settings: GateSettings): number {
  const cap = Math.max(settings.breakerCooldownMaxMs, settings.breakerCooldownMs)
  const base = Math.min(cap, settings.breakerCooldownMs * 2 ** Math.min(trips - 1, 30))
  return base + (Math.min(base * (1 + COOLDOWN_JITTER), cap) - base) * random
}

const trip = (breaker: Breaker, cause: string, at: Moment, settings: GateSettings): Transition => {
  breaker.trips++
  const until = at.now + cooldownMs(breaker.trips, at.random, settings)
  return change(breaker, { kind: 'open', until }, cause)
}

/** What time alone does: the end of a cool-down, the deadline of a probe. */
export function advanceBreaker(
  breaker: Breaker,
  at: Moment,
  settings: GateSettings,
): Transition | null {
  const { phase } = breaker
  if (phase.kind === 'open' && at.now >= phase.until) {
    return change(breaker, { kind: 'half_open', probes: new Map(), successes: 0 }, 'cooldown_over')
  }
  if (phase.kind === 'half_open') {
    for (const deadline of phase.probes.values()) {
      if (at.now >= deadline) return trip(breaker, 'probe_lost', at, settings)
    }
  }
  return null
}

export const addProbe = (breaker: Breaker, leaseId: string, deadline: number): void => {
  if (breaker.phase.kind === 'half_open') breaker.phase.probes.set(leaseId, deadline)
}

/** A probe that answers has shown life: its deadline starts anew. */
export const extendProbe = (breaker: Breaker, leaseId: string, deadline: number): void => {
  const { phase } = breaker
  if (phase.kind === 'half_open' && phase.probes.has(leaseId)) phase.probes.set(leaseId, deadline)
}

export const probesOut = (breaker: Breaker): number =>
  breaker.phase.kind === 'half_open' ? breaker.phase.probes.size : 0

export function recordResult(
  breaker: Breaker,
  result: CallResult,
  at: Moment,
  settings: GateSettings,
): Transition | null {
  if (result.generation !== breaker.generation) return null
  const { phase } = breaker
  if (phase.kind === 'closed') return recordClosed(breaker, result, at, settings)
  if (phase.kind === 'half_open') return recordProbe(breaker, result, at, settings)
  return null
}

const recordClosed = (
  breaker: Breaker,
  result: CallResult,
  at: Moment,
  settings: GateSettings,
): Transition | null => {
  const { phase } = breaker
  if (phase.kind !== 'closed' || result.kind === 'neutral') return null
  addResult(phase.window, result.kind === 'failed', at.now, settings.breakerWindowMs)
  phase.failuresInARow = result.kind === 'failed' ? phase.failuresInARow + 1 : 0
  if (phase.failuresInARow >= settings.breakerConsecutive) {
    return trip(breaker, `consecutive_failures:${result.cause}`, at, settings)
  }
  // Looked at after a served call too: it may be the one that makes the window hold enough.
  const { calls, failures } = readWindow(phase.window, at.now, settings.breakerWindowMs)
  const overRatio =
    calls >= settings.breakerMinCalls && failures / calls >= settings.breakerFailureRatio
  if (!overRatio || result.lastResort) return null
  return trip(breaker, `failure_ratio:${result.cause}`, at, settings)
}

const recordProbe = (
  breaker: Breaker,
  result: CallResult,
  at: Moment,
  settings: GateSettings,
): Transition | null => {
  const { phase } = breaker
  if (phase.kind !== 'half_open' || !phase.probes.delete(result.leaseId)) return null
  if (result.kind === 'neutral') return null
  if (result.kind === 'failed') return trip(breaker, `probe_failed:${result.cause}`, at, settings)
  phase.successes++
  if (phase.successes < settings.breakerSuccesses) return null
  return closeBreaker(breaker, 'probes_served')
}

/** Back to health, by probes or by an operator: the next cool-down is the base again. */
export function closeBreaker(breaker: Breaker, cause: string): Transition {
  breaker.trips = 0
  return change(breaker, newClosed(), cause)
}

export function nextBreakerWakeAt(breaker: Breaker): number {
  const { phase } = breaker
  if (phase.kind === 'open') return phase.until
  if (phase.kind !== 'half_open') return Infinity
  let next = Infinity
  for (const deadline of phase.probes.values()) next = Math.min(next, deadline)
  return next
}
