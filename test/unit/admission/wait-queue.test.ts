import { describe, expect, test } from 'vitest'
import type { Lane } from '../../../src/core/admission/admission.ts'
import { placeOf } from '../../../src/core/admission/wait-queue.ts'
import type { Gate } from '../../../src/core/admission/gate-state.ts'
import { advance, cancel } from '../../../src/core/admission/gate.ts'
import {
  aGate,
  answerTo,
  asks,
  at,
  ends,
  served,
  word,
  type AskChange,
} from '../../support/admission.ts'

const WAIT = { limit: 1, maxWaitMs: 10_000 }

/** A gate whose one slot is held by `first`. */
const fullGate = (changed = {}): Gate => {
  const gate = aGate(changed)
  asks(gate, 'first', at(0), { limit: 1 })
  return gate
}

/** Frees the slot again and again; the tickets in the order in which they were let in. */
function drain(gate: Gate, calls: number, now = 1): string[] {
  const order: string[] = []
  let holder = [...gate.leases.held.keys()][0]
  for (let call = 0; call < calls && holder !== undefined; call++) {
    const next = ends(gate, holder, served, at(now)).find(
      ({ admission }) => admission.kind === 'admitted',
    )
    if (next !== undefined) order.push(next.ticket)
    holder = next?.ticket
  }
  return order
}

const count = (tickets: readonly string[], prefix: string): number =>
  tickets.filter((ticket) => ticket.startsWith(prefix)).length

describe('waiting', () => {
  test('lets one tenant in its own order, with the time it waited', () => {
    const gate = fullGate()
    for (const ticket of ['a', 'b', 'c']) expect(asks(gate, ticket, at(10), WAIT)).toBe('waits')
    const resolved = ends(gate, 'first', served, at(25))
    expect(answerTo('a', resolved)).toMatchObject({ kind: 'admitted', queuedMs: 15 })
    expect(drain(gate, 3)).toEqual(['b', 'c'])
  })

  test('is refused at once to a caller that does not want to wait', () => {
    expect(asks(fullGate(), 'a', at(0), { limit: 1 })).toBe('full')
  })

  test('ends at the deadline of the caller, or of the setting where that is nearer', () => {
    const gate = fullGate({ queueWaitMs: 200 })
    asks(gate, 'short', at(0), { limit: 1, maxWaitMs: 100 })
    asks(gate, 'long', at(0), { limit: 1, maxWaitMs: 60_000 })
    expect(word(answerTo('short', advance(gate, at(99))))).toBe('waits')
    expect(word(answerTo('short', advance(gate, at(100))))).toBe('queue_timeout')
    expect(word(answerTo('long', advance(gate, at(199))))).toBe('waits')
    expect(word(answerTo('long', advance(gate, at(200))))).toBe('queue_timeout')
    expect(gate.queue.byTicket.size).toBe(0)
  })

  test('a waiter that times out as a slot frees leaves the slot to the next', () => {
    const gate = fullGate()
    asks(gate, 'late', at(0), { limit: 1, maxWaitMs: 100 })
    asks(gate, 'next', at(0), WAIT)
    const resolved = ends(gate, 'first', served, at(100))
    expect(word(answerTo('late', resolved))).toBe('queue_timeout')
    expect(word(answerTo('next', resolved))).toBe('admitted')
  })

  test('a waiter that is cancelled as a slot frees leaves the slot to the next', () => {
    const gate = fullGate()
    asks(gate, 'gone', at(0), WAIT)
    asks(gate, 'next', at(0), WAIT)
    ends(gate, 'first', served, at(100))
    expect(word(answerTo('next', cancel(gate, 'gone', at(101))))).toBe('admitted')
  })

  test('a waiter that was cancelled stays so, even if its ticket is asked for again', () => {
    const gate = fullGate()
    asks(gate, 'gone', at(0), WAIT)
    cancel(gate, 'gone', at(1))
    expect(asks(gate, 'gone', at(2), WAIT)).toBe('cancelled')
    expect(gate.queue.byTicket.size).toBe(0)
  })

  test('has so many places in all and for one tenant, and frees them', () => {
    const gate = fullGate({ queueLength: 4, queuePerTenant: 2 })
    const from = (tenant: string): AskChange => ({ ...WAIT, tenant })
    expect(asks(gate, 'a1', at(0), from('a'))).toBe('waits')
    expect(asks(gate, 'a2', at(0), from('a'))).toBe('waits')
    expect(asks(gate, 'a3', at(0), from('a'))).toBe('queue_full')
    expect(asks(gate, 'b1', at(0), from('b'))).toBe('waits')
    expect(asks(gate, 'c1', at(0), from('c'))).toBe('waits')
    expect(asks(gate, 'd1', at(0), from('d'))).toBe('queue_full')
    cancel(gate, 'a1', at(1))
    expect(asks(gate, 'a4', at(1), from('a'))).toBe('waits')
  })

  test('tells each its lane, and its place there by arrival', () => {
    const gate = fullGate()
    for (const lane of ['low', 'high', 'low', 'high'] as const) {
      asks(gate, `${lane}${gate.queue.byTicket.size}`, at(0), { ...WAIT, lane, tenant: lane })
    }
    expect(placeOf(gate.queue, 'low0')).toEqual({ lane: 'low', position: 1, waiting: 4 })
    expect(placeOf(gate.queue, 'high3')).toEqual({ lane: 'high', position: 2, waiting: 4 })
    expect(placeOf(gate.queue, 'first')).toBeNull()
  })

  test('nobody overtakes: a new call of the same class joins the end even as a slot frees', () => {
    const gate = fullGate()
    asks(gate, 'waiting', at(0), WAIT)
    ends(gate, 'first', served, at(1))
    expect(asks(gate, 'new', at(1), { limit: 1 })).toBe('full')
  })

  test('a draining account turns its waiters away and takes nothing new', () => {
    const gate = fullGate()
    asks(gate, 'waiting', at(0), WAIT)
    expect(asks(gate, 'x', at(1), { ...WAIT, draining: true })).toBe('draining')
    expect(gate.queue.byTicket.size).toBe(0)
    expect(gate.leases.held.size).toBe(1)
  })
})

describe('sharing', () => {
  test('lanes share 4:2:1 while all of them wait, and none starves', () => {
    const gate = fullGate()
    for (const lane of ['low', 'normal', 'high'] satisfies Lane[]) {
      for (let call = 0; call < 45; call++) {
        asks(gate, `${lane}${call}`, at(0), { ...WAIT, lane, tenant: lane })
      }
    }
    const order = drain(gate, 70)
    expect([count(order, 'high'), count(order, 'normal'), count(order, 'low')]).toEqual([
      40, 20, 10,
    ])
    const firstTen = order.slice(0, 7)
    expect(count(firstTen, 'low')).toBe(1)
  })

  test('a lane alone gets every slot', () => {
    const gate = fullGate()
    for (let call = 0; call < 20; call++) asks(gate, `l${call}`, at(0), { ...WAIT, lane: 'low' })
    expect(drain(gate, 20)).toHaveLength(20)
  })

  test('tenants of a lane take turns whatever they have queued', () => {
    const gate = fullGate()
    for (let call = 0; call < 40; call++)
      asks(gate, `noisy${call}`, at(0), { ...WAIT, tenant: 'n' })
    for (let call = 0; call < 3; call++) asks(gate, `quiet${call}`, at(5), { ...WAIT, tenant: 'q' })
    expect(count(drain(gate, 6), 'quiet')).toBe(3)
  })

  test('a tenant of large calls gets as many tokens as one of small calls', () => {
    const gate = fullGate()
    const large = { ...WAIT, tenant: 'large', estimatedInputTokens: 4_000 }
    const small = { ...WAIT, tenant: 'small', estimatedInputTokens: 1_000 }
    for (let call = 0; call < 12; call++) asks(gate, `large${call}`, at(0), large)
    for (let call = 0; call < 48; call++) asks(gate, `small${call}`, at(0), small)
    const order = drain(gate, 40)
    expect(count(order, 'large')).toBe(8)
    expect(count(order, 'small')).toBe(32)
  })

  test('a tenant saves nothing up while it does not wait', () => {
    const gate = fullGate()
    for (let call = 0; call < 40; call++) asks(gate, `a${call}`, at(0), { ...WAIT, tenant: 'a' })
    asks(gate, 'b0', at(0), { ...WAIT, tenant: 'b' })
    drain(gate, 20)
    for (let call = 1; call < 11; call++) asks(gate, `b${call}`, at(0), { ...WAIT, tenant: 'b' })
    expect(count(drain(gate, 10), 'b')).toBe(5)
  })

  test('quiet tenants wait at most two service times under five times the load of one', () => {
    const SERVICE_MS = 1_000
    const gate = aGate()
    const held: { ticket: string; until: number }[] = []
    const askedAt = new Map<string, number>()
    const waits: number[] = []
    const refused: string[] = []
    const note = (ticket: string, answer: string, now: number): void => {
      if (answer === 'admitted') {
        held.push({ ticket, until: now + SERVICE_MS })
        if (ticket.startsWith('quiet')) waits.push(now - (askedAt.get(ticket) ?? now))
      } else if (answer !== 'waits' && ticket.startsWith('quiet')) refused.push(answer)
    }
    // Ten slots of a second each serve 10 calls a second; 50 a second come, 40 of them from one tenant.
    for (let tick = 0; tick < 30_000; tick += 20) {
      for (const call of held.filter(({ until }) => until <= tick)) {
        held.splice(held.indexOf(call), 1)
        for (const each of ends(gate, call.ticket, served, at(tick))) {
          note(each.ticket, word(each.admission), tick)
        }
      }
      const tenant = tick % 100 === 0 ? `quiet${(tick / 100) % 10}` : 'noisy'
      const ticket = `${tenant}-${tick}`
      askedAt.set(ticket, tick)
      const change = { limit: 10, maxWaitMs: 10_000, tenant }
      if (tenant === 'noisy' || tick % 200 === 0)
        note(ticket, asks(gate, ticket, at(tick), change), tick)
    }
    expect(waits.length).toBeGreaterThan(120)
    expect(Math.max(...waits)).toBeLessThanOrEqual(2 * SERVICE_MS)
    expect(refused).toEqual([])
  })
})
