// All that one account's gate knows. The state belongs to its shell and the transitions update it in place:
// a gate answers thousands of calls a second, and copying its maps on each would cost more than the calls.
// They stay functions of (state, event, now, random) alone, without I/O, so a test clones, replays and compares.
import type { AccountLimits, Admission } from './admission.ts'
import { newBreaker, type Breaker, type Moment, type Transition } from './breaker.ts'
import type { Hold } from './hold.ts'
import { newLeases, type Leases } from './leases.ts'
import { newConcurrencyLimit, type ConcurrencyLimit } from './limit.ts'
import { newOrganization, type Organization } from './organization.ts'
import { newRateState, type RateState } from './rate.ts'
import { openingBalance } from './retry-budget.ts'
import {
  countPredecessorSlots,
  newReservation,
  type Predecessor,
  type Reservation,
} from './reservation.ts'
import type { GateSettings } from './settings.ts'
import { pushTimeline, type GateError, type TimelineEntry } from './timeline.ts'
import { newWaitQueue, type WaitQueue } from './wait-queue.ts'
import { CLASSES_MAX, HOLD_FIRST_MS } from './tuning.ts'

export interface ModelClass {
  readonly breaker: Breaker
  readonly rate: RateState
}

/** What an event decided about a call that asked: at once, or after it waited. */
export interface Resolution {
  readonly ticket: string
  readonly admission: Admission
}

export interface Gate {
  readonly settings: GateSettings
  /** Rises at each start of the object. */
  readonly epoch: number
  account: AccountLimits
  readonly classes: Map<string, ModelClass>
  classesMade: number
  hold: Hold | null
  /** Rises whenever the account as a whole is closed or opened: older results say nothing about it. */
  accountGeneration: number
  readonly leases: Leases
  readonly reservation: Reservation
  predecessors: Predecessor[]
  readonly limit: ConcurrencyLimit
  readonly organization: Organization
  readonly queue: WaitQueue
  /** Retries that may be made now: see retry-budget.ts. */
  retryBalance: number
  readonly timeline: TimelineEntry[]
  readonly errors: GateError[]
  /** A running mean of how long a lease is held: when a slot may free. */
  holdMs: number
  /** True: some door changed, so waiters may have to be turned away. */
  doorsChanged: boolean
  /** What the shell has yet to write. */
  readonly unsaved: { record: boolean; transitions: TimelineEntry[] }
}

// Until an account is told its numbers by the first ask.
const UNKNOWN_ACCOUNT: AccountLimits = { maxConcurrent: 1, minConcurrent: 1, draining: false }

export const newGate = (
  settings: GateSettings,
  epoch: number,
  predecessors: Predecessor[] = [],
): Gate => ({
  settings,
  epoch,
  account: UNKNOWN_ACCOUNT,
  classes: new Map(),
  classesMade: 0,
  hold: null,
  accountGeneration: 0,
  leases: newLeases(),
  reservation: newReservation(),
  predecessors,
  limit: newConcurrencyLimit(),
  organization: newOrganization(),
  queue: newWaitQueue(),
  retryBalance: openingBalance(settings.retryBudgetRatio),
  timeline: [],
  errors: [],
  holdMs: HOLD_FIRST_MS,
  doorsChanged: false,
  unsaved: { record: false, transitions: [] },
})

export const countInUse = (gate: Gate): number =>
  gate.leases.held.size + countPredecessorSlots(gate.predecessors)

const OVERFLOW_CLASS = 'other'
// Far more transitions than one class sees in its life, so that a class made anew never looks like its former self.
const GENERATIONS_APART = 1_000_000

export function classOf(gate: Gate, name: string): ModelClass {
  const known = gate.classes.get(name)
  if (known !== undefined) return known
  if (gate.classes.size >= CLASSES_MAX && !forgetQuietClass(gate)) {
    return gate.classes.get(OVERFLOW_CLASS) ?? addClass(gate, OVERFLOW_CLASS)
  }
  return addClass(gate, name)
}

const addClass = (gate: Gate, name: string): ModelClass => {
  const breaker = newBreaker()
  breaker.generation = ++gate.classesMade * GENERATIONS_APART
  const made: ModelClass = { breaker, rate: newRateState() }
  gate.classes.set(name, made)
  return made
}

const forgetQuietClass = (gate: Gate): boolean => {
  for (const [name, { breaker }] of gate.classes) {
    if (breaker.phase.kind !== 'closed' || name === OVERFLOW_CLASS) continue
    gate.classes.delete(name)
    return true
  }
  return false
}

export function noteTransition(gate: Gate, entry: TimelineEntry): void {
  pushTimeline(gate.timeline, entry)
  gate.unsaved.transitions.push(entry)
  gate.unsaved.record = true
}

export function noteBreaker(
  gate: Gate,
  modelClass: string,
  transition: Transition | null,
  at: Moment,
): void {
  if (transition === null) return
  gate.doorsChanged = true
  noteTransition(gate, { at: at.now, kind: 'breaker', modelClass, ...transition })
}
