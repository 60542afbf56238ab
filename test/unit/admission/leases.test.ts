import { describe, expect, test } from 'vitest'
import type { LeaseWitness } from '../../../src/core/admission/admission.ts'
import { newGate, countInUse, type Gate } from '../../../src/core/admission/gate-state.ts'
import { admit, advance, cancel, nextWakeAt, renew } from '../../../src/core/admission/gate.ts'
import { predecessorOf } from '../../../src/core/admission/reservation.ts'
import {
  aGate,
  answerTo,
  ask,
  asks,
  at,
  ends,
  gateSettings,
  ignored,
  served,
  settlement,
} from '../../support/admission.ts'
import { settle } from '../../../src/core/admission/gate.ts'

const renews = (gate: Gate, leaseId: string, now: number, witness: LeaseWitness | null = null) =>
  renew(gate, { leaseId, witness, answering: false }, at(now))[0]

describe('a lease', () => {
  test('holds a slot from its grant to its settlement', () => {
    const gate = aGate()
    expect(asks(gate, 'a', at(0))).toBe('admitted')
    expect(asks(gate, 'b', at(0))).toBe('admitted')
    expect(asks(gate, 'c', at(0))).toBe('full')
    ends(gate, 'a', served, at(5))
    expect(asks(gate, 'd', at(5))).toBe('admitted')
  })

  test('says whether there is plenty: then nobody waits for its end', () => {
    const gate = aGate()
    const granted = (ticket: string): unknown => {
      const admission = answerTo(ticket, admit(gate, ask(ticket, { limit: 20 }), at(0)))
      return admission?.kind === 'admitted' ? admission.plenty === true : admission?.kind
    }
    // Half of the slots must be free when it has its own.
    for (let call = 0; call < 10; call += 1) expect(granted(`c${call}`)).toBe(true)
    expect(granted('c10')).toBe(false)
  })

  test('settled twice frees one slot', () => {
    const gate = aGate()
    asks(gate, 'a', at(0))
    asks(gate, 'b', at(0))
    ends(gate, 'a', served, at(1))
    ends(gate, 'a', served, at(2))
    expect(asks(gate, 'c', at(3))).toBe('admitted')
    expect(asks(gate, 'd', at(3))).toBe('full')
  })

  test('is free again when it is not renewed within its time, and may be settled after that', () => {
    const gate = aGate()
    asks(gate, 'a', at(0), { limit: 1 })
    expect(asks(gate, 'b', at(59_999), { limit: 1 })).toBe('full')
    expect(asks(gate, 'c', at(60_000), { limit: 1 })).toBe('admitted')
    ends(gate, 'a', served, at(60_001))
    expect(asks(gate, 'd', at(60_002), { limit: 1 })).toBe('full')
  })

  test('lives as long as it is renewed', () => {
    const gate = aGate()
    asks(gate, 'a', at(0), { limit: 1 })
    for (let now = 20_000; now <= 400_000; now += 20_000) {
      expect(renews(gate, 'a', now)?.expiresAt).toBeGreaterThanOrEqual(now + 52_500)
    }
    expect(asks(gate, 'b', at(450_000), { limit: 1 })).toBe('full')
    expect(asks(gate, 'c', at(460_001), { limit: 1 })).toBe('admitted')
  })

  test('is not brought back by a renewal that comes after its settlement', () => {
    const gate = aGate()
    asks(gate, 'a', at(0))
    ends(gate, 'a', served, at(1))
    expect(renews(gate, 'a', 2)).toBeNull()
    expect(countInUse(gate)).toBe(0)
  })

  test('that expired while its holder was alive is counted again at its next renewal', () => {
    const gate = aGate()
    asks(gate, 'a', at(0), { limit: 1 })
    expect(asks(gate, 'b', at(61_000), { limit: 1 })).toBe('admitted')
    expect(renews(gate, 'a', 62_000)).not.toBeNull()
    expect(countInUse(gate)).toBe(2)
    ends(gate, 'b', served, at(63_000))
    expect(asks(gate, 'c', at(63_001), { limit: 1 })).toBe('full')
  })

  test('is given again, not twice, to a ticket that is asked for again', () => {
    const gate = aGate()
    asks(gate, 'a', at(0))
    expect(asks(gate, 'a', at(1))).toBe('admitted')
    expect(countInUse(gate)).toBe(1)
  })

  test('is freed by its cancellation, and a cancelled ticket is never granted', () => {
    const gate = aGate()
    asks(gate, 'a', at(0), { limit: 1 })
    expect(asks(gate, 'b', at(0), { limit: 1, maxWaitMs: 1_000 })).toBe('waits')
    expect(answerTo('b', cancel(gate, 'a', at(1)))).toMatchObject({ kind: 'admitted' })
    cancel(gate, 'early', at(2))
    expect(asks(gate, 'early', at(3), { limit: 5 })).toBe('cancelled')
  })

  test('every call that never ends comes home by expiry alone', () => {
    const gate = aGate()
    for (let call = 0; call < 50; call++) asks(gate, `c${call}`, at(call * 100), { limit: 50 })
    let now = 5_000
    for (let wake = nextWakeAt(gate, now); wake !== null; wake = nextWakeAt(gate, now)) {
      expect(wake).toBeGreaterThan(now)
      now = wake
      advance(gate, at(now))
    }
    expect(countInUse(gate)).toBe(0)
    expect(now).toBeLessThanOrEqual(65_000)
  })
})

describe('the reservation', () => {
  const unsaved = (gate: Gate): boolean => {
    const was = gate.reservation.unsaved
    gate.reservation.unsaved = false
    return was
  }

  test('is written when it grows or its grace runs out, not for each call', () => {
    const gate = aGate()
    let writes = 0
    for (let call = 0; call < 10_000; call++) {
      asks(gate, `c${call}`, at(call), { limit: 50 })
      if (call >= 20) ends(gate, `c${call - 20}`, served, at(call))
      if (unsaved(gate)) writes++
    }
    expect(writes).toBeLessThan(12)
  })

  test('leaves a lease time enough for a holder that renews late', () => {
    const gate = aGate({ leaseTtlMs: 60_000, leaseRenewMs: 58_000 })
    asks(gate, 'first', at(0), { limit: 9 })
    for (let now = 900; now < 5_000; now += 900) {
      asks(gate, `a${now}`, at(now), { limit: 9 })
      expect(gate.leases.held.get(`a${now}`)?.expiresAt).toBeGreaterThan(now + 58_000)
    }
  })

  test('must be written before a grant once its grace is over: a replaced gate cannot', () => {
    const gate = aGate()
    asks(gate, 'a', at(0), { limit: 9 })
    expect(unsaved(gate)).toBe(true)
    asks(gate, 'b', at(4_999), { limit: 9 })
    expect(unsaved(gate)).toBe(false)
    asks(gate, 'c', at(5_000), { limit: 9 })
    expect(unsaved(gate)).toBe(true)
    ends(gate, 'a', served, at(10_000))
    ends(gate, 'b', served, at(10_000))
    asks(gate, 'd', at(10_001), { limit: 9 })
    expect(unsaved(gate)).toBe(true)
  })

  test('covers every lease: none is out beyond its slots or past its time', () => {
    const gate = aGate()
    for (let call = 0; call < 500; call++) {
      asks(gate, `c${call}`, at(call * 37), { limit: 40 })
      if (call % 3 === 0) ends(gate, `c${call - 7}`, served, at(call * 37))
      const { slots, writtenAt } = gate.reservation
      expect(gate.leases.held.size).toBeLessThanOrEqual(slots)
      for (const { expiresAt } of gate.leases.held.values()) {
        expect(expiresAt).toBeLessThanOrEqual(writtenAt + 60_000)
      }
    }
  })

  test('is given up by a gate that has been idle for a moment', () => {
    const gate = aGate()
    asks(gate, 'a', at(0))
    ends(gate, 'a', served, at(100))
    unsaved(gate)
    expect(nextWakeAt(gate, 100)).toBe(2_100)
    advance(gate, at(2_100))
    expect(gate.reservation.slots).toBe(0)
    expect(unsaved(gate)).toBe(true)
  })
})

describe('a successor', () => {
  // Written at 0 with a grace of 5 s: no grant after 5 s, no lease past 60 s, and 250 ms for the clocks.
  const successor = (slots: number): Gate =>
    newGate(gateSettings(), 2, [
      predecessorOf({ epoch: 1, slots, writtenAt: 0, graceMs: 5_000, ttlMs: 60_000 }),
    ])
  const witness: LeaseWitness = {
    epoch: 1,
    heldUntil: 60_000,
    certain: true,
    tenant: 't',
    lane: 'high',
    modelClass: 'opus',
    since: -5,
  }

  test('counts what its predecessor had reserved as taken until its leases must be over', () => {
    const gate = successor(2)
    expect(asks(gate, 'a', at(1_000))).toBe('full')
    expect(asks(gate, 'b', at(60_249))).toBe('full')
    expect(asks(gate, 'c', at(60_250))).toBe('admitted')
  })

  test('wakes those who wait when that time is over', () => {
    const gate = successor(2)
    expect(asks(gate, 'a', at(55_000), { maxWaitMs: 8_000 })).toBe('waits')
    expect(nextWakeAt(gate, 55_000)).toBe(60_250)
    expect(answerTo('a', advance(gate, at(60_250)))).toMatchObject({ queuedMs: 5_250 })
  })

  test('takes a lease over from its holder', () => {
    const gate = successor(2)
    expect(renews(gate, 'old', 6_000, witness)).toEqual({ id: 'old', epoch: 2, expiresAt: 66_000 })
    expect(countInUse(gate)).toBe(2)
    settle(gate, { settlement: settlement('old', served), witness }, at(7_000))
    expect(asks(gate, 'a', at(7_001))).toBe('admitted')
    expect(asks(gate, 'b', at(7_001))).toBe('full')
  })

  test('frees a slot that a holder returns, and once only', () => {
    const gate = successor(2)
    const returned = { settlement: settlement('old', ignored), witness }
    settle(gate, returned, at(1_000))
    settle(gate, returned, at(1_001))
    expect(asks(gate, 'a', at(1_002))).toBe('admitted')
    expect(asks(gate, 'b', at(1_002))).toBe('full')
  })

  test('counts a lease that a stale twin may give to another, but promises its holder nothing more', () => {
    const gate = successor(2)
    const late = { ...witness, heldUntil: 3_000 }
    expect(renews(gate, 'late', 2_000, late)?.expiresAt).toBe(3_000)
    expect(renews(gate, 'late', 2_500, late)?.expiresAt).toBe(3_000)
    expect(countInUse(gate)).toBe(3)
    settle(gate, { settlement: settlement('late', served), witness: late }, at(2_600))
    expect(countInUse(gate)).toBe(2)
  })

  test.each([
    ['no witness', null],
    ['a holder that is not sure', { ...witness, certain: false }],
    [
      'a lease that could have expired while the predecessor still granted',
      { ...witness, heldUntil: 5_000 },
    ],
    ['another epoch', { ...witness, epoch: 0 }],
  ])('does not take the word of %s', (_, word) => {
    const gate = successor(1)
    settle(gate, { settlement: settlement('old', served), witness: word }, at(10_000))
    expect(countInUse(gate)).toBe(1)
    renews(gate, 'other', 10_000, word)
    expect(countInUse(gate)).toBe(2)
  })
})
