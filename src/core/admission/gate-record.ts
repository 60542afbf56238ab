// What of a gate outlives its object, as plain JSON: doors, limit, buckets, counters; not leases (they are a
// reservation) and not waiters (their callers' connections die with the object). A half-open breaker is kept
// as open and due, since its probes die with the object too.
import { newBreaker, type Breaker } from './breaker.ts'
import type { FailureWindow } from './failure-window.ts'
import { newGate, type Gate } from './gate-state.ts'
import type { Hold, HoldReason } from './hold.ts'
import type { ConcurrencyLimit } from './limit.ts'
import type { Organization } from './organization.ts'
import { newRateState, type Bucket } from './rate.ts'
import { retryCap } from './retry-budget.ts'
import type { Predecessor } from './reservation.ts'
import type { GateSettings } from './settings.ts'
import type { GateError, TimelineEntry } from './timeline.ts'

const VERSION = 1

interface BreakerRecord {
  readonly openUntil: number | null
  readonly trips: number
  readonly failuresInARow: number
  readonly window: FailureWindow | null
}

interface ClassRecord {
  readonly name: string
  readonly breaker: BreakerRecord
  readonly requests: Bucket | null
  readonly inputTokens: Bucket | null
  readonly outputTokens: Bucket | null
  readonly pausedUntil: number | null
}

export interface GateRecord {
  readonly version: number
  readonly classes: readonly ClassRecord[]
  readonly hold: {
    readonly reason: HoldReason
    readonly since: number
    readonly probeAt: number | null
  } | null
  readonly limit: { readonly value: number | null; readonly refusedLevel: number | null }
  readonly account: Gate['account']
  readonly errors: readonly GateError[]
  readonly holdMs: number
  /** Absent in what older versions wrote. */
  readonly retryBalance?: number
  readonly organization?: Organization
}

export const toRecord = (gate: Gate): GateRecord => ({
  version: VERSION,
  classes: [...gate.classes].map(([name, { breaker, rate }]) => ({
    name,
    breaker: breakerRecord(breaker),
    requests: rate.requests,
    inputTokens: rate.inputTokens,
    outputTokens: rate.outputTokens,
    pausedUntil: Number.isFinite(rate.pausedUntil) ? rate.pausedUntil : null,
  })),
  hold: gate.hold && {
    reason: gate.hold.reason,
    since: gate.hold.since,
    probeAt: gate.hold.probeAt,
  },
  limit: { value: gate.limit.value, refusedLevel: gate.limit.refusedLevel },
  account: gate.account,
  errors: gate.errors,
  holdMs: gate.holdMs,
  retryBalance: gate.retryBalance,
  organization: gate.organization,
})

const breakerRecord = ({ phase, trips }: Breaker): BreakerRecord => {
  if (phase.kind === 'closed') {
    const { failuresInARow, window } = phase
    return { openUntil: null, trips, failuresInARow, window }
  }
  const openUntil = phase.kind === 'open' ? phase.until : 0
  return { openUntil, trips, failuresInARow: 0, window: null }
}

export interface FormerLife {
  readonly record: GateRecord | null
  readonly predecessors: Predecessor[]
  readonly timeline: readonly TimelineEntry[]
}

export function restoreGate(settings: GateSettings, epoch: number, former: FormerLife): Gate {
  const gate = newGate(settings, epoch, former.predecessors)
  gate.timeline.push(...former.timeline)
  const { record } = former
  if (record === null || record.version !== VERSION) return gate
  for (const each of record.classes) restoreClass(gate, each)
  gate.hold = record.hold && restoreHold(record.hold)
  gate.account = record.account
  gate.holdMs = record.holdMs
  // The ratio may have been lowered since.
  const cap = retryCap(settings.retryBudgetRatio)
  gate.retryBalance = Math.min(cap, record.retryBalance ?? gate.retryBalance)
  gate.errors.push(...record.errors)
  Object.assign(gate.organization, record.organization)
  Object.assign(gate.limit, restoreLimit(record.limit))
  return gate
}

const restoreClass = (
  gate: Gate,
  { name, breaker, pausedUntil, ...buckets }: ClassRecord,
): void => {
  const restored = newBreaker()
  restored.trips = breaker.trips
  if (breaker.openUntil !== null) {
    restored.phase = { kind: 'open', until: breaker.openUntil }
  } else if (breaker.window !== null) {
    const { failuresInARow, window } = breaker
    restored.phase = { kind: 'closed', failuresInARow, window }
  }
  const { requests, inputTokens, outputTokens } = buckets
  const rate = newRateState()
  Object.assign(rate, { requests, inputTokens, outputTokens })
  if (pausedUntil !== null) rate.pausedUntil = pausedUntil
  gate.classes.set(name, { breaker: restored, rate })
}

const restoreHold = (hold: NonNullable<GateRecord['hold']>): Hold => ({ ...hold, probe: null })

const restoreLimit = (limit: GateRecord['limit']): Partial<ConcurrencyLimit> => ({
  value: limit.value,
  refusedLevel: limit.refusedLevel,
})
