// Accounts that turn out to share one organization.
import { describe, expect, test } from 'vitest'
import type { SharedReading } from '../../../src/core/admission/admission.ts'
import { restoreGate, toRecord } from '../../../src/core/admission/gate-record.ts'
import type { Gate } from '../../../src/core/admission/gate-state.ts'
import { advance, nextWakeAt, settle } from '../../../src/core/admission/gate.ts'
import { observe } from '../../../src/core/admission/observe.ts'
import { readLimit } from '../../../src/core/admission/limit.ts'
import { snapshotGate } from '../../../src/core/admission/snapshot.ts'
import {
  aGate,
  answerTo,
  asks,
  at,
  gateSettings,
  served,
  settlement,
  word,
} from '../../support/admission.ts'

const WIDE = { limit: 1_000 }
const about = {
  id: 'a',
  weight: 1,
  account: { maxConcurrent: 1_000, minConcurrent: 1, draining: false },
}

const empty = (limit = 60) => ({ requests: { limit, remaining: 0, resetAt: 60_000 } })

const reading = (change: Partial<SharedReading> = {}): SharedReading => ({
  account: 'b',
  organization: 'org-1',
  modelClass: 'sonnet',
  rate: empty(),
  retryAfterMs: null,
  ...change,
})

/** A gate that has read its own headers: 50 of 60 requests left. */
const aware = (organization = 'org-1'): Gate => {
  const gate = aGate()
  asks(gate, 'own', at(0), WIDE)
  const rate = { requests: { limit: 60, remaining: 50, resetAt: null } }
  const said = settlement('own', served, { rate, organization })
  settle(gate, { settlement: said, witness: null }, at(0))
  return gate
}

const shared = (gate: Gate) => snapshotGate(gate, about, 0).shares_organization_with

describe('a gate that is told of another account of its organization', () => {
  test('holds back when that one found the bucket empty, and lets calls go as it refills', () => {
    const gate = aware()
    observe(gate, reading(), at(0))
    expect(asks(gate, 'x', at(999), WIDE)).toBe('throttled')
    expect(asks(gate, 'y', at(1_000), WIDE)).toBe('admitted')
    expect(asks(gate, 'z', at(1_000), WIDE)).toBe('throttled')
  })

  test('holds back though it has read no headers yet', () => {
    const gate = aGate()
    observe(gate, reading(), at(0))
    expect(asks(gate, 'x', at(0), WIDE)).toBe('throttled')
  })

  test('rests as long as a 429 named, if a bucket was empty', () => {
    const gate = aware()
    observe(gate, reading({ retryAfterMs: 7_000 }), at(0))
    expect(asks(gate, 'x', at(6_999), WIDE)).toBe('throttled')
    expect(asks(gate, 'y', at(7_000), WIDE)).toBe('admitted')
  })

  test('goes on after a 429 with buckets that were not empty', () => {
    const gate = aware()
    const rate = { requests: { limit: 60, remaining: 30, resetAt: 30_000 } }
    observe(gate, reading({ rate, retryAfterMs: 7_000 }), at(0))
    observe(gate, reading({ rate: null, retryAfterMs: 7_000 }), at(0))
    expect(asks(gate, 'x', at(1), WIDE)).toBe('admitted')
  })

  test('counts no failure and cuts no limit', () => {
    const gate = aware()
    for (let told = 0; told < 50; told++) observe(gate, reading({ retryAfterMs: 10 }), at(told))
    expect(gate.classes.get('sonnet')?.breaker.phase).toMatchObject({
      kind: 'closed',
      failuresInARow: 0,
    })
    expect(readLimit(gate.limit, gate.account)).toBe(1_000)
    expect(gate.errors).toEqual([])
  })

  test('never believes that there is more left than it knew', () => {
    const gate = aware()
    observe(gate, reading(), at(0))
    const full = { requests: { limit: 60, remaining: 60, resetAt: null } }
    observe(gate, reading({ rate: full }), at(0))
    expect(asks(gate, 'x', at(0), WIDE)).toBe('throttled')
  })

  test.each([
    ['another organization', { organization: 'org-2' }],
    ['another model class', { modelClass: 'opus' }],
    ['a bucket with a limit of its own, that of a workspace', { rate: empty(40) }],
    ['a reset in the past', { rate: { requests: { limit: 60, remaining: 0, resetAt: -1 } } }],
  ])('is not stopped by a word about %s', (_, change) => {
    const gate = aware()
    observe(gate, reading({ retryAfterMs: 9_000, ...change }), at(0))
    expect(asks(gate, 'x', at(0), WIDE)).toBe('admitted')
  })

  test('makes those wait who have time, and wakes them', () => {
    const gate = aware()
    observe(gate, reading(), at(0))
    expect(asks(gate, 'x', at(0), { ...WIDE, maxWaitMs: 5_000 })).toBe('waits')
    expect(nextWakeAt(gate, 0)).toBe(1_000)
    expect(word(answerTo('x', advance(gate, at(1_000))))).toBe('admitted')
  })
})

describe('the operator', () => {
  test('sees with whom an account shares, once in the timeline for each', () => {
    const gate = aware()
    observe(gate, reading({ rate: null }), at(1))
    observe(gate, reading(), at(2))
    observe(gate, reading({ account: 'c' }), at(3))
    expect(shared(gate)).toEqual(['b', 'c'])
    expect(snapshotGate(gate, about, 0).organization).toBe('org-1')
    expect(gate.timeline).toEqual([
      {
        at: 1,
        kind: 'organization',
        modelClass: null,
        from: '',
        to: 'b',
        cause: 'shares_organization_with',
      },
      {
        at: 3,
        kind: 'organization',
        modelClass: null,
        from: 'b',
        to: 'b, c',
        cause: 'shares_organization_with',
      },
    ])
  })

  test('sees it after a restart, and no longer after the account got a key of another organization', () => {
    const gate = aware()
    observe(gate, reading(), at(1))
    const former = { record: toRecord(gate), predecessors: [], timeline: gate.timeline }
    const restored = restoreGate(gateSettings(), 2, structuredClone(former))
    expect(shared(restored)).toEqual(['b'])
    expect(asks(restored, 'x', at(2), WIDE)).toBe('throttled')
    asks(restored, 'y', at(2_000), WIDE)
    const moved = settlement('y', served, { epoch: 2, organization: 'org-9' })
    settle(restored, { settlement: moved, witness: null }, at(2_000))
    expect(shared(restored)).toEqual([])
    observe(restored, reading(), at(2_001))
    expect(shared(restored)).toEqual([])
    expect(restored.timeline.at(-1)).toMatchObject({ from: 'org-1', to: 'org-9' })
  })
})
