// An operator's hand on a gate: open (no calls pass), close (calls pass again), reset (as on its first day).
// Leases that are out stay out: their calls are in flight whatever the operator thinks of them.
import { closeBreaker, type Moment } from './breaker.ts'
import { noteBreaker, noteTransition, type Gate, type Resolution } from './gate-state.ts'
import { pump } from './grant.ts'
import { newConcurrencyLimit, readLimit } from './limit.ts'
import { newRateState } from './rate.ts'
import { openingBalance } from './retry-budget.ts'
import { reopenAccount, shutAccount } from './teach.ts'

/** Shuts the account until it is closed or reset by hand; those who wait are turned away. */
export function openByHand(gate: Gate, at: Moment): Resolution[] {
  if (gate.hold?.reason !== 'manual') shutAccount(gate, 'manual', at.now)
  return pump(gate, at)
}

/** Every door of the account and of its model classes stands open again. */
export function closeByHand(gate: Gate, at: Moment): Resolution[] {
  reopenAccount(gate, 'operator', at.now)
  for (const [name, { breaker }] of gate.classes) {
    if (breaker.phase.kind === 'closed') continue
    noteBreaker(gate, name, closeBreaker(breaker, 'operator'), at)
  }
  return pump(gate, at)
}

/** Closed, and everything that was learnt of the account is forgotten: limit, buckets, failures, errors. */
export function resetByHand(gate: Gate, at: Moment): Resolution[] {
  const from = readLimit(gate.limit, gate.account)
  const noted = gate.unsaved.transitions.length
  reopenAccount(gate, 'operator_reset', at.now)
  for (const [name, modelClass] of gate.classes) {
    const transition = closeBreaker(modelClass.breaker, 'operator_reset')
    if (transition.from !== 'closed') noteBreaker(gate, name, transition, at)
    Object.assign(modelClass.rate, { ...newRateState(), charged: modelClass.rate.charged })
  }
  Object.assign(gate.limit, newConcurrencyLimit())
  gate.retryBalance = openingBalance(gate.settings.retryBudgetRatio)
  gate.errors.length = 0
  const to = readLimit(gate.limit, gate.account)
  if (from !== to) {
    const levels = { from: String(from), to: String(to), cause: 'operator_reset' }
    noteTransition(gate, { at: at.now, kind: 'limit', modelClass: null, ...levels })
  }
  if (gate.unsaved.transitions.length === noted) {
    // Whoever reads the timeline later should see why the limit and the buckets began anew.
    const doors = { from: 'closed', to: 'closed', cause: 'operator_reset' }
    noteTransition(gate, { at: at.now, kind: 'account', modelClass: null, ...doors })
  }
  gate.unsaved.record = true
  return pump(gate, at)
}
