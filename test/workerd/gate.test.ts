/// <reference types="@cloudflare/vitest-plugin/types" />
// The object around the core: what survives an eviction, an abort, a restart; alarms; what it writes and when.
import {
  abortAllDurableObjects,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Admission, LeaseWitness, Settlement } from '../../src/core/admission/admission.ts'
import type { SettleEvent } from '../../src/core/admission/gate.ts'
import { cloudflareAccountGates } from '../../src/adapters/cloudflare/account-gates.ts'
import { anAccount } from '../contract/account-gates.ts'
import {
  ask,
  failed,
  ignored,
  served,
  settlement,
  throttled,
  word,
  type AskChange,
} from '../support/admission.ts'

const START = Date.UTC(2026, 10, 21, 12)

const aStub = () => env.ACCOUNT_GATE.getByName(crypto.randomUUID())
type Stub = ReturnType<typeof aStub>

let stub: Stub
beforeEach(() => {
  // Only the clock's reading is ours: timers run, so waits and group commits are real.
  vi.useFakeTimers({ toFake: ['Date'], now: START })
  stub = aStub()
})
afterEach(() => vi.useRealTimers())

const passTime = (ms: number): void => void vi.setSystemTime(Date.now() + ms)

const admits = async (ticket: string, change: AskChange = {}): Promise<string> =>
  word(await stub.admit(ask(ticket, { limit: 1, ...change })))

const leaseOf = async (ticket: string, change: AskChange = {}) => {
  const admission: Admission = await stub.admit(ask(ticket, { limit: 1, ...change }))
  if (admission.kind !== 'admitted') throw new Error(admission.refusal.reason)
  return admission.lease
}

const endOf = (settlement: Settlement, witness: LeaseWitness | null = null): SettleEvent[] => [
  { settlement, witness },
]

const witnessOf = (lease: { epoch: number; expiresAt: number }): LeaseWitness => ({
  epoch: lease.epoch,
  heldUntil: lease.expiresAt,
  certain: true,
  tenant: 't',
  lane: 'normal',
  modelClass: 'sonnet',
  since: START,
})

const breakOpen = async (epoch = 1): Promise<void> => {
  for (let call = 0; call < 5; call++) {
    const ticket = `f${call}-${epoch}`
    await stub.admit(ask(ticket))
    await stub.settle(endOf(settlement(ticket, failed, { epoch })))
  }
}

const rowsOf = (table: string): Promise<Record<string, SqlStorageValue>[]> =>
  runInDurableObject(stub, (_, { storage }) => storage.sql.exec(`SELECT * FROM ${table}`).toArray())

const about = {
  id: 'a',
  weight: 3,
  account: { maxConcurrent: 1, minConcurrent: 1, draining: false },
}

describe('after an eviction', () => {
  test('slots that were out stay taken until their leases are over, in a new epoch', async () => {
    const lease = await leaseOf('a')
    await evictDurableObject(stub)
    expect(await admits('b')).toBe('full')
    expect(await stub.snapshot(about)).toMatchObject({ epoch: lease.epoch + 1, in_use: 1 })
    passTime(60_000)
    expect(await admits('c')).toBe('full')
    passTime(250)
    expect(await admits('d')).toBe('admitted')
  })

  test('a holder renews with the new epoch and returns its slot there', async () => {
    const lease = await leaseOf('a')
    const witness = witnessOf(lease)
    await evictDurableObject(stub)
    passTime(20_000)
    const renewed = await stub.renew({ leaseId: 'a', witness, answering: false })
    expect(renewed).toEqual({ id: 'a', epoch: lease.epoch + 1, expiresAt: Date.now() + 60_000 })
    expect(await admits('b')).toBe('full')
    await stub.settle(endOf(settlement('a', served, { epoch: lease.epoch }), witness))
    expect(await admits('c')).toBe('admitted')
  })

  test('a slot that its holder returns is free at once', async () => {
    const lease = await leaseOf('a')
    await evictDurableObject(stub)
    await stub.settle(endOf(settlement('a', served, { epoch: lease.epoch }), witnessOf(lease)))
    expect(await admits('b')).toBe('admitted')
  })

  test('an idle gate has given its slots back, so nothing is held against the next call', async () => {
    const lease = await leaseOf('a')
    await stub.settle(endOf(settlement('a', served, { epoch: lease.epoch })))
    passTime(2_000)
    await runInDurableObject(stub, (gate) => gate.isUsable())
    await evictDurableObject(stub)
    expect(await admits('b')).toBe('admitted')
  })

  test('breaker, limit, timeline and last errors are as they were', async () => {
    await stub.admit(ask('t', { limit: 20 }))
    await stub.settle(endOf(settlement('t', throttled)))
    await breakOpen()
    // The idle gate gives its slots back; until then its timer holds it in memory.
    passTime(2_000)
    const before = await stub.snapshot(about)
    await evictDurableObject(stub)
    const after = await stub.snapshot(about)
    expect(after).toEqual({ ...before, epoch: before.epoch + 1 })
    expect(after.models).toEqual({
      sonnet: { state: 'open', open_until: expect.stringMatching(/^2026-11-21T12:0\d/) },
    })
    expect(await admits('x', { limit: 20 })).toBe('open')
    expect((await stub.timeline(10)).map(({ kind, to }) => `${kind} ${to}`)).toEqual([
      'limit 14',
      'breaker open',
    ])
  })

  test('a half-open breaker is due again: its probes died with the object', async () => {
    await breakOpen()
    passTime(80_000)
    expect(await admits('probe', { limit: 9 })).toBe('admitted')
    expect(await admits('second', { limit: 9 })).toBe('open')
    await evictDurableObject(stub)
    expect(await admits('again', { limit: 9 })).toBe('admitted')
    expect(await admits('third', { limit: 9 })).toBe('open')
  })

  test('what it shares, what is left of its bucket, and its retries are as they were', async () => {
    for (let retry = 0; retry < 10; retry++) {
      await admits(`r${retry}`, { attempt: 2, limit: 50 })
      await stub.settle(endOf(settlement(`r${retry}`, ignored)))
    }
    expect(await admits('r10', { attempt: 2, limit: 50 })).toBe('retry_budget')
    await stub.observe({
      account: 'b',
      organization: 'org',
      modelClass: 'sonnet',
      rate: { requests: { limit: 1, remaining: 0, resetAt: START + 60_000 } },
      retryAfterMs: null,
    })
    // The idle gate gives its slots back; until then its timer holds it in memory.
    passTime(2_000)
    await stub.snapshot(about)
    await evictDurableObject(stub)
    expect(await admits('x', { limit: 50 })).toBe('throttled')
    expect(await stub.snapshot(about)).toMatchObject({
      retry_budget: 0,
      organization: 'org',
      shares_organization_with: ['b'],
      unused: { reason: 'throttled', until: new Date(START + 60_000).toISOString() },
    })
  })

  test("an operator's word stands", async () => {
    await stub.open()
    await evictDurableObject(stub)
    expect(await admits('a')).toBe('open')
    await stub.close()
    expect(await admits('b')).toBe('admitted')
  })
})

describe('when the object is torn down', () => {
  test('whoever waits learns it, and the adapter calls it unavailable or asks anew', async () => {
    const account = anAccount(crypto.randomUUID())
    const gates = cloudflareAccountGates(env.ACCOUNT_GATE)
    await gates.admit(account, ask('a', { limit: 1 }))
    const waiting = gates.admit(account, ask('b', { limit: 1, maxWaitMs: 2_000 }))
    await vi.waitFor(async () => {
      const held = await gates.stubOf(account).snapshot(about)
      expect(held.waiting.normal).toBe(1)
    })
    await abortAllDurableObjects()
    expect(['unavailable', 'refused']).toContain((await waiting).kind)
    expect(await gates.admit(account, ask('c', { limit: 1 }))).toMatchObject({
      refusal: { reason: 'full' },
    })
  })

  test('what was granted before an abort is counted after it', async () => {
    await leaseOf('a')
    await abortAllDurableObjects()
    stub = env.ACCOUNT_GATE.get(stub.id)
    expect(await admits('b')).toBe('full')
  })
})

describe('a successor on the same storage', () => {
  test('begins an epoch of its own while the former object still runs, and counts its slots', async () => {
    const { GateStore } = await import('../../durable-objects/gate-store.ts')
    const { gateSettings } = await import('../support/admission.ts')
    await leaseOf('a', { limit: 8 })
    const twin = await runInDurableObject(stub, (_, { storage }) => {
      const { epoch, predecessors } = new GateStore(storage).load(gateSettings())
      return { epoch, predecessors }
    })
    expect(twin).toMatchObject({
      epoch: 2,
      predecessors: [
        { epoch: 1, slots: 2, grantsUntil: START + 5_250, takenUntil: START + 60_250 },
      ],
    })
  })
})

describe('waking', () => {
  test('the alarm frees leases that nobody renewed and drops out when nothing is left', async () => {
    await leaseOf('a')
    passTime(60_001)
    expect(await runDurableObjectAlarm(stub)).toBe(true)
    const { in_use: inUse, leases } = await stub.snapshot(about)
    expect([inUse, leases]).toEqual([0, []])
  })

  test('a waiter is turned away at its deadline without any other event', async () => {
    vi.useRealTimers()
    await leaseOf('a')
    expect(await admits('b', { maxWaitMs: 50 })).toBe('queue_timeout')
  })
})

describe('writing', () => {
  test('a thousand calls write the reservation a handful of times', async () => {
    const writes = await runInDurableObject(stub, async (gate, { storage }) => {
      const before = storage.sql.exec('SELECT total_changes() AS n').one()['n'] as number
      for (let call = 0; call < 1_000; call++) {
        await gate.admit(ask(`c${call}`, { limit: 50 }))
        if (call >= 30) gate.settle(endOf(settlement(`c${call - 30}`)))
      }
      return (storage.sql.exec('SELECT total_changes() AS n').one()['n'] as number) - before
    })
    expect(writes).toBeLessThan(40)
  })

  test('the timeline is bounded', async () => {
    await runInDurableObject(stub, (gate) => {
      for (let turn = 0; turn < 700; turn++) {
        gate.open()
        gate.close()
      }
    })
    expect(await rowsOf('timeline')).toHaveLength(1_000)
    expect((await stub.timeline(3)).map(({ to }) => to)).toEqual(['closed', 'manual', 'closed'])
  })
})
