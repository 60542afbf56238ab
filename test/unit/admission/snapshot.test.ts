// What an operator sees of a gate, in the contract's names.
import { describe, expect, test } from 'vitest'
import type { Gate } from '../../../src/core/admission/gate-state.ts'
import { settle } from '../../../src/core/admission/gate.ts'
import { openByHand } from '../../../src/core/admission/operate.ts'
import { snapshotGate } from '../../../src/core/admission/snapshot.ts'
import { aGate, asks, at, failed, passes, served, settlement } from '../../support/admission.ts'

const START = Date.UTC(2026, 10, 21, 12)
const about = (limit: number, draining = false) => ({
  id: 'a',
  weight: 3,
  account: { maxConcurrent: limit, minConcurrent: 1, draining },
})

const unused = (gate: Gate, now: number, limit = 2, draining = false) =>
  snapshotGate(gate, about(limit, draining), now).unused

const iso = (ms: number): string => new Date(ms).toISOString()

test('a busy gate shows each lease, each waiter and each bucket under the names of the contract', () => {
  const gate = aGate()
  const rate = {
    requests: { limit: 60, remaining: 31, resetAt: START + 29_000 },
    inputTokens: { limit: 1_000_000, remaining: 999_000, resetAt: null },
  }
  asks(gate, 'read', at(START))
  settle(gate, { settlement: settlement('read', served, { rate }), witness: null }, at(START))
  passes(gate, 'bad', at(START), { outcome: failed })
  asks(gate, 'l1', at(START), { limit: 1, tenant: 'x', lane: 'high' })
  asks(gate, 'w1', at(START), { limit: 1, tenant: 'y', lane: 'low', maxWaitMs: 5_000 })
  asks(gate, 'w2', at(START), { limit: 1, tenant: 'y', maxWaitMs: 5_000 })
  expect(snapshotGate(gate, about(1), START)).toEqual({
    id: 'a',
    state: 'closed',
    models: { sonnet: { state: 'closed', open_until: null } },
    epoch: 1,
    limit: 1,
    max_concurrent: 1,
    in_use: 1,
    waiting: { high: 0, normal: 1, low: 1 },
    waiting_by_tenant: { y: 2 },
    leases: [
      {
        id: 'l1',
        tenant: 'x',
        lane: 'high',
        since: iso(START),
        expires_at: iso(START + 60_000),
      },
    ],
    rate: {
      requests: { limit: 60, remaining: 29, reset_at: iso(START + 29_000) },
      input_tokens: { limit: 1_000_000, remaining: 998_300, reset_at: null },
      output_tokens: null,
    },
    retry_budget: 10.2,
    draining: false,
    weight: 3,
    last_errors: [{ at: iso(START), model: 'sonnet', cause: 'overloaded' }],
    unused: { reason: 'full', until: null },
    hold: null,
    organization: null,
    shares_organization_with: [],
  })
})

describe('why an account is not used', () => {
  test('nothing, while a call would be let in, even if it was never asked', () => {
    expect(unused(aGate(), START)).toBeNull()
  })

  test('draining, though the gate has not heard of it yet', () => {
    expect(unused(aGate(), START, 2, true)).toEqual({ reason: 'draining', until: null })
  })

  test('the word of an operator, before any call', () => {
    const gate = aGate()
    openByHand(gate, at(START))
    expect(unused(gate, START)).toEqual({ reason: 'open', until: null })
    expect(snapshotGate(gate, about(2), START)).toMatchObject({ state: 'open', hold: 'manual' })
  })

  test.each([
    ['quarantined', { kind: 'credential_refused' }, 60_000],
    ['parked', { kind: 'spend_limited' }, 900_000],
  ] as const)('%s, until its probe is due', (reason, outcome, ms) => {
    const gate = aGate()
    passes(gate, 'a', at(START), { outcome })
    expect(unused(gate, START)).toEqual({ reason, until: iso(START + ms) })
    expect(unused(gate, START + ms)).toBeNull()
  })

  test('open only once every class of models is', () => {
    const gate = aGate({ breakerConsecutive: 1 })
    passes(gate, 'a', at(START), { outcome: failed })
    expect(unused(gate, START)).toEqual({ reason: 'open', until: iso(START + 60_000) })
    passes(gate, 'b', at(START + 1), { outcome: served, modelClass: 'opus' })
    expect(unused(gate, START + 1)).toBeNull()
  })

  test('throttled, until its bucket has refilled', () => {
    const gate = aGate()
    asks(gate, 'a', at(START))
    const rate = { requests: { limit: 60, remaining: 0, resetAt: START + 60_000 } }
    settle(gate, { settlement: settlement('a', served, { rate }), witness: null }, at(START))
    expect(unused(gate, START)).toEqual({ reason: 'throttled', until: iso(START + 1_000) })
    expect(unused(gate, START + 1_000)).toBeNull()
  })
})
