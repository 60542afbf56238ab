import { describe, expect, test } from 'vitest'
import { cooldownMs } from '../../../src/core/admission/breaker.ts'
import type { Gate } from '../../../src/core/admission/gate-state.ts'
import { advance, cancel, nextWakeAt, renew, settle } from '../../../src/core/admission/gate.ts'
import { closeByHand, openByHand, resetByHand } from '../../../src/core/admission/operate.ts'
import {
  aGate,
  answerTo,
  asks,
  at,
  ends,
  failed,
  gateSettings,
  ignored,
  passes,
  served,
  settlement,
  throttled,
} from '../../support/admission.ts'

const phaseOf = (gate: Gate, modelClass = 'sonnet'): string | undefined =>
  gate.classes.get(modelClass)?.breaker.phase.kind

const WIDE = { limit: 50 }

/** Opened at 0 by failures in a row; its cool-down of 60 s is over at 60,000. */
const openedGate = (changed = {}): Gate => {
  const gate = aGate(changed)
  for (let call = 0; call < gate.settings.breakerConsecutive; call++) {
    passes(gate, `f${call}`, at(0), { ...WIDE, outcome: failed })
  }
  return gate
}

describe('tripping', () => {
  test('that many failures in a row open the breaker, one fewer does not', () => {
    const gate = aGate()
    for (let call = 0; call < 4; call++)
      passes(gate, `f${call}`, at(0), { ...WIDE, outcome: failed })
    expect(phaseOf(gate)).toBe('closed')
    passes(gate, 'last', at(0), { ...WIDE, outcome: failed })
    expect(phaseOf(gate)).toBe('open')
    expect(asks(gate, 'next', at(59_999), WIDE)).toBe('open')
  })

  test('a served call between them starts the row anew', () => {
    const gate = aGate({ breakerMinCalls: 1_000 })
    for (let call = 0; call < 12; call++) {
      passes(gate, `c${call}`, at(0), { ...WIDE, outcome: call % 4 === 3 ? served : failed })
    }
    expect(phaseOf(gate)).toBe('closed')
  })

  test('the ratio counts only once the window holds enough calls, and forgets old ones', () => {
    const gate = aGate({ breakerConsecutive: 1_000 })
    for (let call = 0; call < 9; call++)
      passes(gate, `old${call}`, at(0), { ...WIDE, outcome: failed })
    expect(phaseOf(gate)).toBe('closed')
    passes(gate, 'late', at(61_000), { ...WIDE, outcome: failed })
    expect(phaseOf(gate)).toBe('closed')
    for (let call = 0; call < 9; call++) {
      passes(gate, `new${call}`, at(61_001), { ...WIDE, outcome: call % 2 === 0 ? served : failed })
    }
    expect(phaseOf(gate)).toBe('open')
  })

  test.each([throttled, ignored])('$kind is no failure', (outcome) => {
    const gate = aGate()
    for (let call = 0; call < 40; call++)
      passes(gate, `c${call}`, at(call), { ...WIDE, outcome: outcome })
    expect(phaseOf(gate)).toBe('closed')
  })

  test('the last usable account is not ejected by its ratio, but by failures in a row', () => {
    const gate = aGate()
    const last = { ...WIDE, lastResort: true }
    for (let call = 0; call < 40; call++) {
      passes(gate, `c${call}`, at(call), { ...last, outcome: call % 5 === 4 ? served : failed })
    }
    expect(phaseOf(gate)).toBe('closed')
    for (let call = 0; call < 5; call++)
      passes(gate, `f${call}`, at(50), { ...last, outcome: failed })
    expect(phaseOf(gate)).toBe('open')
  })

  test("one model class's outage leaves the others alone", () => {
    const gate = openedGate()
    expect(asks(gate, 'a', at(1), { ...WIDE, modelClass: 'opus' })).toBe('admitted')
    expect(asks(gate, 'b', at(1), WIDE)).toBe('open')
  })

  test('whoever waits for a class is turned away when it opens', () => {
    const gate = aGate({ breakerConsecutive: 1 })
    asks(gate, 'a', at(0), { limit: 1 })
    expect(asks(gate, 'b', at(0), { limit: 1, maxWaitMs: 5_000 })).toBe('waits')
    expect(answerTo('b', ends(gate, 'a', failed, at(10)))).toEqual({
      kind: 'refused',
      refusal: { reason: 'open', retryAt: 60_010, queuedMs: 10 },
    })
  })
})

describe('cooling down', () => {
  test('the time doubles at each reopening, jittered upwards, to the cap', () => {
    const settings = gateSettings()
    expect([1, 2, 3, 4, 5, 6].map((trips) => cooldownMs(trips, 0, settings))).toEqual([
      60_000, 120_000, 240_000, 480_000, 900_000, 900_000,
    ])
    expect(cooldownMs(1, 0.999, settings)).toBeGreaterThan(71_900)
    expect(cooldownMs(5, 0.999, settings)).toBe(900_000)
    expect(cooldownMs(2_000, 0.5, settings)).toBe(900_000)
  })

  test('a failed probe reopens for twice as long, and health brings the base back', () => {
    const gate = openedGate()
    expect(passes(gate, 'p1', at(60_000), { ...WIDE, outcome: failed })).toBe('admitted')
    expect(asks(gate, 'x', at(179_999), WIDE)).toBe('open')
    for (const [index, now] of [180_000, 180_001].entries()) {
      expect(passes(gate, `ok${index}`, at(now), { ...WIDE, outcome: served })).toBe('admitted')
    }
    expect(phaseOf(gate)).toBe('closed')
    for (let call = 0; call < 5; call++)
      passes(gate, `g${call}`, at(200_000), { ...WIDE, outcome: failed })
    expect(asks(gate, 'y', at(259_999), WIDE)).toBe('open')
    expect(asks(gate, 'z', at(260_000), WIDE)).toBe('admitted')
  })
})

describe('probing', () => {
  test.each([1, 3])(
    'exactly %i probes are out at a time, and nobody waits behind them',
    (probes) => {
      const gate = openedGate({ breakerProbes: probes })
      const answers = Array.from({ length: 300 }, (_, index) =>
        asks(gate, `p${index}`, at(60_000), { ...WIDE, maxWaitMs: 10_000 }),
      )
      expect(answers.filter((answer) => answer === 'admitted')).toHaveLength(probes)
      expect(answers.filter((answer) => answer === 'open')).toHaveLength(300 - probes)
      expect(gate.queue.byTicket.size).toBe(0)
    },
  )

  test('a probe says so, and a success makes room for the next until enough have passed', () => {
    const gate = openedGate({ breakerSuccesses: 3 })
    for (const call of [1, 2, 3]) {
      expect(phaseOf(gate)).toBe(call === 1 ? 'open' : 'half_open')
      expect(passes(gate, `p${call}`, at(60_000 + call), { ...WIDE, outcome: served })).toBe(
        'admitted',
      )
    }
    expect(phaseOf(gate)).toBe('closed')
  })

  test('a lost probe counts as failed at its deadline', () => {
    const gate = openedGate()
    expect(asks(gate, 'lost', at(60_000), WIDE)).toBe('admitted')
    expect(nextWakeAt(gate, 60_000)).toBe(90_000)
    advance(gate, at(89_999))
    expect(phaseOf(gate)).toBe('half_open')
    advance(gate, at(90_000))
    expect(phaseOf(gate)).toBe('open')
    expect(asks(gate, 'next', at(90_000 + 120_000), WIDE)).toBe('admitted')
  })

  test('with several probes out, the first failed one leaves the others without a say', () => {
    const gate = openedGate({ breakerProbes: 3 })
    for (const probe of ['a', 'b', 'c']) asks(gate, probe, at(60_000), WIDE)
    ends(gate, 'a', failed, at(60_010))
    ends(gate, 'b', served, at(60_020))
    advance(gate, at(100_000))
    expect(gate.classes.get('sonnet')?.breaker).toMatchObject({ phase: { until: 180_010 } })
    ends(gate, 'c', failed, at(200_000))
    expect(asks(gate, 'd', at(200_000), WIDE)).toBe('admitted')
  })

  test('a probe that is cancelled or ignored makes room for another', () => {
    const gate = openedGate()
    asks(gate, 'gone', at(60_000), WIDE)
    cancel(gate, 'gone', at(60_001))
    expect(passes(gate, 'ignored', at(60_002), { ...WIDE, outcome: ignored })).toBe('admitted')
    expect(asks(gate, 'next', at(60_003), WIDE)).toBe('admitted')
    expect(phaseOf(gate)).toBe('half_open')
  })

  test('a probe that streams for long is alive: each word of it moves its deadline', () => {
    const gate = openedGate()
    asks(gate, 'slow', at(60_000), WIDE)
    renew(gate, { leaseId: 'slow', witness: null, answering: true }, at(80_000))
    advance(gate, at(95_000))
    expect(phaseOf(gate)).toBe('half_open')
    renew(gate, { leaseId: 'slow', witness: null, answering: false }, at(100_000))
    advance(gate, at(110_000))
    expect(phaseOf(gate)).toBe('open')
  })

  test('when every slot is taken by other classes, as many may wait as may probe', () => {
    const gate = openedGate()
    asks(gate, 'busy', at(59_000), { limit: 1, modelClass: 'opus' })
    const wait = { limit: 1, maxWaitMs: 5_000 }
    expect(asks(gate, 'probe', at(60_000), wait)).toBe('waits')
    expect(asks(gate, 'other', at(60_000), wait)).toBe('open')
    const resolved = ends(gate, 'busy', served, at(60_500))
    expect(answerTo('probe', resolved)).toMatchObject({ kind: 'admitted', probe: true })
  })
})

describe('late results', () => {
  test('a call that was admitted before the breaker opened changes nothing afterwards', () => {
    const gate = aGate()
    for (const late of ['l1', 'l2', 'l3']) asks(gate, late, at(0), WIDE)
    for (let call = 0; call < 5; call++)
      passes(gate, `f${call}`, at(0), { ...WIDE, outcome: failed })
    expect(asks(gate, 'probe', at(60_000), WIDE)).toBe('admitted')
    ends(gate, 'l1', failed, at(60_001))
    ends(gate, 'l2', served, at(60_002))
    ends(gate, 'l3', served, at(60_003))
    expect(phaseOf(gate)).toBe('half_open')
    expect(gate.leases.held.size).toBe(1)
  })

  test('late failures of an outage do not reopen a breaker that has closed since', () => {
    const gate = aGate({ breakerCooldownMs: 10_000 })
    for (let call = 0; call < 20; call++) asks(gate, `late${call}`, at(0), WIDE)
    for (let call = 0; call < 5; call++) ends(gate, `late${call}`, failed, at(1))
    for (const probe of ['p1', 'p2']) passes(gate, probe, at(10_001), { ...WIDE, outcome: served })
    expect(phaseOf(gate)).toBe('closed')
    for (let call = 5; call < 20; call++) ends(gate, `late${call}`, failed, at(10_002))
    expect(phaseOf(gate)).toBe('closed')
  })

  test('a result that another epoch admitted frees its slot and teaches nothing', () => {
    const gate = aGate({ breakerConsecutive: 1 })
    asks(gate, 'a', at(0))
    settle(gate, { settlement: settlement('a', failed, { epoch: 0 }), witness: null }, at(1))
    expect(phaseOf(gate)).toBe('closed')
    expect(gate.leases.held.size).toBe(0)
  })
})

describe('the account as a whole', () => {
  test('a refused credential quarantines it until a probe after the base cool-down is served', () => {
    const gate = aGate()
    passes(gate, 'a', at(0), { ...WIDE, outcome: { kind: 'credential_refused' } })
    expect(asks(gate, 'b', at(59_999), { ...WIDE, modelClass: 'opus' })).toBe('quarantined')
    expect(
      passes(gate, 'p', at(60_000), { ...WIDE, outcome: { kind: 'credential_refused' } }),
    ).toBe('admitted')
    expect(asks(gate, 'c', at(119_999), WIDE)).toBe('quarantined')
    expect(asks(gate, 'p2', at(120_000), WIDE)).toBe('admitted')
    expect(asks(gate, 'd', at(120_001), WIDE)).toBe('quarantined')
    ends(gate, 'p2', served, at(120_002))
    expect(asks(gate, 'e', at(120_003), WIDE)).toBe('admitted')
  })

  test('a spend limit parks it; a lost probe does not leave it stuck', () => {
    const gate = aGate()
    passes(gate, 'a', at(0), { ...WIDE, outcome: { kind: 'spend_limited' } })
    expect(asks(gate, 'p', at(900_000), WIDE)).toBe('admitted')
    expect(asks(gate, 'b', at(900_001), WIDE)).toBe('parked')
    advance(gate, at(930_000))
    expect(asks(gate, 'c', at(930_001), WIDE)).toBe('parked')
    expect(asks(gate, 'p2', at(1_830_000), WIDE)).toBe('admitted')
  })

  test('an operator opens it for good, and closes or resets it', () => {
    const gate = aGate()
    asks(gate, 'held', at(0), { limit: 1 })
    asks(gate, 'waiting', at(0), { limit: 1, maxWaitMs: 9_000 })
    expect(answerTo('waiting', openByHand(gate, at(1)))).toMatchObject({
      refusal: { reason: 'open', retryAt: null },
    })
    expect(asks(gate, 'b', at(10_000_000), WIDE)).toBe('open')
    closeByHand(gate, at(10_000_001))
    expect(asks(gate, 'c', at(10_000_002), WIDE)).toBe('admitted')
    for (let call = 0; call < 5; call++)
      passes(gate, `f${call}`, at(10_000_003), { ...WIDE, outcome: failed })
    resetByHand(gate, at(10_000_004))
    expect(asks(gate, 'd', at(10_000_005), WIDE)).toBe('admitted')
    expect(gate.errors).toEqual([])
  })

  test('a late refusal of the credential does not undo what an operator closed', () => {
    const gate = aGate()
    asks(gate, 'a', at(0), WIDE)
    asks(gate, 'b', at(0), WIDE)
    ends(gate, 'a', { kind: 'credential_refused' }, at(1))
    closeByHand(gate, at(2))
    ends(gate, 'b', { kind: 'credential_refused' }, at(3))
    expect(asks(gate, 'c', at(4), WIDE)).toBe('admitted')
  })

  test('every transition is on the timeline with its cause', () => {
    const gate = openedGate()
    passes(gate, 'p1', at(60_000), { ...WIDE, outcome: served })
    passes(gate, 'p2', at(60_001), { ...WIDE, outcome: served })
    openByHand(gate, at(60_002))
    expect(gate.timeline.map(({ from, to, cause }) => `${from} ${to} ${cause}`)).toEqual([
      'closed open consecutive_failures:overloaded',
      'open half_open cooldown_over',
      'half_open closed probes_served',
      'closed manual operator',
    ])
    expect(gate.errors.at(-1)).toMatchObject({ cause: 'overloaded', modelClass: 'sonnet' })
  })
})
