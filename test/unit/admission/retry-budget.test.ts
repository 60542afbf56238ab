import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { restoreGate, toRecord } from '../../../src/core/admission/gate-record.ts'
import type { Gate } from '../../../src/core/admission/gate-state.ts'
import { advance, cancel, settle } from '../../../src/core/admission/gate.ts'
import { openByHand, resetByHand } from '../../../src/core/admission/operate.ts'
import { openingBalance, retryCap } from '../../../src/core/admission/retry-budget.ts'
import {
  aGate,
  asks,
  at,
  ends,
  failed,
  gateSettings,
  passes,
  served,
  settlement,
  throttled,
  type AskChange,
} from '../../support/admission.ts'

/** A breaker that never opens: only the budget stands between an outage and its retries. */
const NEVER = { breakerConsecutive: 1_000_000, breakerMinCalls: 1_000_000 }
const RETRY = { attempt: 2 }

/** How many retries in a row are let in. */
const retriesLeft = (gate: Gate, now = 0): number => {
  for (let call = 0; call < 1_000; call++) {
    const answer = passes(gate, `r${now}-${call}`, at(now), { ...RETRY, outcome: failed })
    if (answer !== 'admitted') {
      expect(answer).toBe('retry_budget')
      return call
    }
  }
  return Infinity
}

const serves = (gate: Gate, calls: number, now = 0): void => {
  for (let call = 0; call < calls; call++) {
    passes(gate, `s${now}-${call}`, at(now), { outcome: served })
  }
}

describe('the retry budget of a gate', () => {
  test('has ten retries to begin with, and never refuses a first call', () => {
    const gate = aGate(NEVER)
    expect(retriesLeft(gate)).toBe(10)
    expect(asks(gate, 'first', at(1))).toBe('admitted')
    expect(asks(gate, 'named', at(1), { attempt: 1 })).toBe('admitted')
  })

  test('earns one retry by five served calls, and saves up twenty at most', () => {
    const gate = aGate(NEVER)
    retriesLeft(gate)
    serves(gate, 4, 1)
    expect(retriesLeft(gate, 1)).toBe(0)
    serves(gate, 1, 2)
    expect(retriesLeft(gate, 2)).toBe(1)
    serves(gate, 10_000, 3)
    expect(retriesLeft(gate, 3)).toBe(20)
  })

  test('of nothing allows no retry at all', () => {
    const gate = aGate({ ...NEVER, retryBudgetRatio: 0 })
    serves(gate, 100)
    expect(retriesLeft(gate)).toBe(0)
  })

  test.each([failed, throttled])('earns nothing by what was $kind', (outcome) => {
    const gate = aGate(NEVER)
    retriesLeft(gate)
    for (let call = 0; call < 50; call++) passes(gate, `f${call}`, at(call), { outcome })
    expect(retriesLeft(gate, 100)).toBe(0)
  })

  test('is asked after the doors: a shut one says its own reason and takes nothing', () => {
    const gate = aGate()
    openByHand(gate, at(0))
    expect(asks(gate, 'a', at(0), RETRY)).toBe('open')
    expect(gate.retryBalance).toBe(10)
  })

  test('is not taken from by a retry that finds no slot, or is asked for twice', () => {
    const gate = aGate()
    asks(gate, 'a', at(0), { ...RETRY, limit: 1 })
    asks(gate, 'a', at(0), { ...RETRY, limit: 1 })
    expect(asks(gate, 'b', at(0), { ...RETRY, limit: 1 })).toBe('full')
    expect(gate.retryBalance).toBe(9)
  })

  test.each<[string, (gate: Gate) => unknown]>([
    ['times out', (gate) => advance(gate, at(1_000))],
    ['is cancelled', (gate) => cancel(gate, 'waiter', at(1))],
    ['is turned away', (gate) => openByHand(gate, at(1))],
  ])('gets back what a waiter had taken that %s', (_, leave) => {
    const gate = aGate()
    const one = { limit: 1 }
    asks(gate, 'a', at(0), one)
    expect(asks(gate, 'waiter', at(0), { ...one, ...RETRY, maxWaitMs: 1_000 })).toBe('waits')
    expect(gate.retryBalance).toBe(9)
    leave(gate)
    expect(gate.queue.byTicket.size).toBe(0)
    expect(gate.retryBalance).toBe(10)
  })

  test('gets back what a lease had taken that is cancelled, and so does its bucket', () => {
    const gate = aGate()
    asks(gate, 'seen', at(0))
    const rate = { requests: { limit: 60, remaining: 5, resetAt: null } }
    settle(gate, { settlement: settlement('seen', failed, { rate }), witness: null }, at(0))
    asks(gate, 'lost', at(0), RETRY)
    expect(gate.retryBalance).toBe(9)
    expect(gate.classes.get('sonnet')?.rate.requests?.level).toBe(4)
    cancel(gate, 'lost', at(0))
    cancel(gate, 'lost', at(0))
    expect(gate.retryBalance).toBe(10)
    expect(gate.classes.get('sonnet')?.rate.requests?.level).toBe(5)
  })

  test('keeps what a waiter had taken that is let in', () => {
    const gate = aGate()
    asks(gate, 'a', at(0), { limit: 1 })
    asks(gate, 'waiter', at(0), { ...RETRY, limit: 1, maxWaitMs: 1_000 })
    ends(gate, 'a', failed, at(1))
    expect(gate.leases.held.has('waiter')).toBe(true)
    expect(gate.retryBalance).toBe(9)
  })

  test('allows no more retries to wait than it has', () => {
    const gate = aGate()
    asks(gate, 'a', at(0), { limit: 1 })
    const waits: AskChange = { ...RETRY, limit: 1, maxWaitMs: 9_000 }
    const answers = Array.from({ length: 40 }, (_, call) => asks(gate, `w${call}`, at(0), waits))
    expect(answers.filter((answer) => answer === 'waits')).toHaveLength(10)
    expect(answers.filter((answer) => answer === 'retry_budget')).toHaveLength(30)
  })

  test('outlives the object, and follows a ratio that was lowered meanwhile', () => {
    const gate = aGate(NEVER)
    serves(gate, 20)
    const revive = (ratio: number): number => {
      const settings = gateSettings({ retryBudgetRatio: ratio })
      const former = { record: toRecord(gate), predecessors: [], timeline: [] }
      return restoreGate(settings, 2, former).retryBalance
    }
    expect(revive(0.2)).toBeCloseTo(14)
    expect(revive(0.05)).toBe(5)
    const { retryBalance: _, ...older } = toRecord(gate)
    const former = { record: older, predecessors: [], timeline: [] }
    expect(restoreGate(gateSettings(), 2, former).retryBalance).toBe(10)
  })

  test('is full of its first day again after a reset', () => {
    const gate = aGate(NEVER)
    retriesLeft(gate)
    resetByHand(gate, at(1))
    expect(retriesLeft(gate, 2)).toBe(10)
  })
})

let round = 0

/** Calls one after another on three accounts, each tried up to three times, each failed one at another account. */
function upstreamCalls(gates: readonly Gate[], calls: number, isServed: (n: number) => boolean) {
  let sent = 0
  round++
  for (let call = 0; call < calls; call++) {
    for (let attempt = 1; attempt <= 3; attempt++) {
      const gate = gates[(call + attempt) % gates.length]
      if (gate === undefined) break
      const outcome = isServed(sent) ? served : failed
      if (
        passes(gate, `${round}-${call}-${attempt}`, at(call), { attempt, outcome }) !== 'admitted'
      )
        break
      sent++
      if (outcome === served) break
    }
  }
  return sent
}

describe('under an outage', () => {
  test('upstream gets no more than the caller sends, once what was saved up is gone', () => {
    const gates = [aGate(NEVER), aGate(NEVER), aGate(NEVER)]
    upstreamCalls(gates, 2_000, () => true)
    expect(upstreamCalls(gates, 500, () => false)).toBe(500 + 60)
    expect(upstreamCalls(gates, 500, () => false)).toBe(500)
  })

  test('whatever fails, retries stay within the opening, and the share of what was served', () => {
    const ratios = fc.double({ min: 0, max: 1, noNaN: true })
    const outcomes = fc.array(fc.boolean(), { minLength: 1, maxLength: 300 })
    fc.assert(
      fc.property(outcomes, ratios, (said, retryBudgetRatio) => {
        const gates = [aGate({ ...NEVER, retryBudgetRatio }), aGate({ ...NEVER, retryBudgetRatio })]
        let servedCalls = 0
        const sent = upstreamCalls(gates, 200, (n) => {
          const good = said[n % said.length] === true
          if (good) servedCalls++
          return good
        })
        const most = gates.length * openingBalance(retryBudgetRatio)
        expect(sent - 200).toBeLessThanOrEqual(most + servedCalls * retryBudgetRatio + 1e-6)
        for (const gate of gates) {
          expect(gate.retryBalance).toBeLessThanOrEqual(retryCap(retryBudgetRatio))
        }
      }),
    )
  })

  test('a rare failure among many served calls is always retried', () => {
    const gates = [aGate(NEVER), aGate(NEVER), aGate(NEVER)]
    const failures = { count: 0 }
    const sent = upstreamCalls(gates, 1_000, (n) => {
      const good = n % 11 !== 10
      if (!good) failures.count++
      return good
    })
    expect(sent).toBe(1_000 + failures.count)
  })
})
