import { describe, expect, test } from 'vitest'
import type { Gate } from '../../../src/core/admission/gate-state.ts'
import { readLimit } from '../../../src/core/admission/limit.ts'
import { aGate, asks, at, ends, passes, served, throttled } from '../../support/admission.ts'

const limitOf = (gate: Gate): number => readLimit(gate.limit, gate.account)

/** A gate with `count` calls out since 0, of which each was granted before any 429. */
const busyGate = (count: number, account: { limit: number; min?: number }): Gate => {
  const gate = aGate()
  for (let call = 0; call < count; call++) asks(gate, `c${call}`, at(0), account)
  return gate
}

describe('the limit', () => {
  test('is the maximum of the account until a 429', () => {
    expect(limitOf(busyGate(1, { limit: 20 }))).toBe(20)
  })

  test('is cut once for a burst of 429s, however many', () => {
    const gate = busyGate(20, { limit: 20 })
    for (let call = 0; call < 20; call++) ends(gate, `c${call}`, throttled, at(10 + call))
    expect(limitOf(gate)).toBe(14)
    expect(gate.timeline.map(({ kind, from, to }) => [kind, from, to])).toEqual([
      ['limit', '20', '14'],
    ])
  })

  test('is cut again by a 429 of a call that was granted after the cut', () => {
    const gate = busyGate(1, { limit: 20 })
    ends(gate, 'c0', throttled, at(10))
    passes(gate, 'next', at(11), { limit: 20, outcome: throttled })
    expect(limitOf(gate)).toBe(9)
  })

  test.each([1, 3])('never falls below the least of the account: %i', (min) => {
    const gate = aGate()
    for (let call = 0; call < 100; call++) {
      passes(gate, `c${call}`, at(call), { limit: 20, min, outcome: throttled })
    }
    expect(limitOf(gate)).toBe(min)
  })

  test('rises by one for each round of served calls, and never above the maximum', () => {
    const gate = aGate()
    passes(gate, 'a', at(0), { limit: 20, outcome: throttled })
    passes(gate, 'b', at(1), { limit: 20, outcome: throttled })
    passes(gate, 'c', at(2), { limit: 20, outcome: throttled })
    expect(limitOf(gate)).toBe(6)
    for (let call = 0; call < 13; call++) {
      passes(gate, `up${call}`, at(3), { limit: 20, outcome: served })
    }
    expect(limitOf(gate)).toBe(8)
    for (let call = 0; call < 2_000; call++) {
      passes(gate, `on${call}`, at(60_000 + call), { limit: 20, outcome: served })
    }
    expect(limitOf(gate)).toBe(20)
    expect(gate.limit).toMatchObject({ value: null, refusedLevel: null })
  })

  test('rests below the level that was refused before it tries it again', () => {
    const gate = aGate()
    passes(gate, 'a', at(0), { limit: 6, outcome: throttled })
    const levels = Array.from({ length: 60 }, (_, call) => {
      passes(gate, `s${call}`, at(1_000 + call), { limit: 6, outcome: served })
      return limitOf(gate)
    })
    expect(levels.slice(0, 39).every((level) => level <= 5)).toBe(true)
    expect(levels.at(-1)).toBe(6)
  })

  const ramp = { kind: 'throttled', retryAfterMs: null, rampLimited: true } as const

  test('falls to what is in use when the account grows too fast, rests, and climbs by one a round', () => {
    const gate = busyGate(8, { limit: 20 })
    for (const call of [0, 1, 2]) ends(gate, `c${call}`, ramp, at(10))
    expect(limitOf(gate)).toBe(8)
    const serve = (calls: number, now: number): void => {
      for (let call = 0; call < calls; call++) {
        passes(gate, `s${now}-${call}`, at(now), { limit: 20, outcome: served })
      }
    }
    serve(30, 11)
    expect(limitOf(gate)).toBe(8)
    serve(11, 1_100)
    expect(limitOf(gate)).toBe(9)
    serve(10, 1_200)
    expect(limitOf(gate)).toBe(10)
  })

  test('is cut like by any 429 where it grows too fast though it does not grow', () => {
    const gate = busyGate(20, { limit: 20 })
    ends(gate, 'c0', ramp, at(10))
    expect(limitOf(gate)).toBe(14)
  })

  test('that has recovered says so on the timeline', () => {
    const gate = busyGate(1, { limit: 3 })
    ends(gate, 'c0', throttled, at(10))
    for (let call = 0; call < 100; call++) {
      passes(gate, `s${call}`, at(40_000 + call), { limit: 3, outcome: served })
    }
    expect(gate.timeline.map(({ from, to, cause }) => `${from} ${to} ${cause}`)).toEqual([
      '3 2 throttled',
      '2 3 recovered',
    ])
  })

  test('follows an operator who changes the maximum', () => {
    const gate = busyGate(2, { limit: 2 })
    expect(asks(gate, 'more', at(1), { limit: 3 })).toBe('admitted')
    expect(asks(gate, 'less', at(2), { limit: 1 })).toBe('full')
  })

  test('an account capped at 5 of 20 sees few 429s and keeps its throughput; then climbs back', () => {
    const gate = aGate()
    const SERVICE_MS = 400
    const run = (from: number, to: number, cap: number) => {
      const inFlight: { ticket: string; until: number; ok: boolean }[] = []
      let [ok, refusedUpstream, number] = [0, 0, 0]
      for (let now = from; now < to; now += 10) {
        for (const call of inFlight.filter(({ until }) => until <= now)) {
          inFlight.splice(inFlight.indexOf(call), 1)
          ends(gate, call.ticket, call.ok ? served : throttled, at(now))
        }
        while (asks(gate, `${from}-${++number}`, at(now), { limit: 20 }) === 'admitted') {
          const accepted = inFlight.filter((call) => call.ok).length < cap
          if (accepted) ok++
          else refusedUpstream++
          const until = now + (accepted ? SERVICE_MS : 20)
          inFlight.push({ ticket: `${from}-${number}`, until, ok: accepted })
        }
      }
      for (const { ticket } of inFlight) ends(gate, ticket, served, at(to))
      return { ok, share: refusedUpstream / (ok + refusedUpstream) }
    }
    run(0, 10_000, 5)
    const capped = run(10_000, 40_000, 5)
    expect(capped.share).toBeLessThan(0.05)
    expect(capped.ok).toBeGreaterThan(0.8 * 5 * (30_000 / SERVICE_MS))
    run(40_000, 60_000, 20)
    expect(limitOf(gate)).toBe(20)
  })

  // Other users of the same account, or an edge of Claude's, make 429s that no lower level would have avoided.
  test('keeps a quarter of the maximum while one answer in twenty is a 429 at any level', () => {
    const gate = aGate()
    const inFlight: { ticket: string; until: number }[] = []
    let [number, ended, sum, samples] = [0, 0, 0, 0]
    for (let now = 0; now < 120_000; now += 10) {
      for (const call of inFlight.filter(({ until }) => until <= now)) {
        inFlight.splice(inFlight.indexOf(call), 1)
        ends(gate, call.ticket, ++ended % 20 === 0 ? throttled : served, at(now))
      }
      while (asks(gate, `c${++number}`, at(now), { limit: 20 }) === 'admitted') {
        inFlight.push({ ticket: `c${number}`, until: now + 400 })
      }
      if (now < 60_000) continue
      sum += limitOf(gate)
      samples++
    }
    expect(sum / samples).toBeGreaterThanOrEqual(5)
  })
})
