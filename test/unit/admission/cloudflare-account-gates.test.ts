// The adapter to the gate's object, against a namespace that fails in the platform's ways.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  cloudflareAccountGates,
  type GateNamespace,
} from '../../../src/adapters/cloudflare/account-gates.ts'
import type { Admission, LeaseWitness } from '../../../src/core/admission/admission.ts'
import type { SettleEvent } from '../../../src/core/admission/gate.ts'
import { anAccount } from '../../contract/account-gates.ts'
import { ask, settlement } from '../../support/admission.ts'

const account = { ...anAccount('a'), locationHint: 'weur' }
const LEASE = { id: 'l', epoch: 1, expiresAt: 60_000 }
const admitted: Admission = { kind: 'admitted', lease: LEASE, queuedMs: 0, probe: false }

const failure = (flags: object = {}): Error => Object.assign(new Error('The object is gone'), flags)

interface Call {
  readonly stub: number
  readonly method: string
  readonly args: readonly unknown[]
}

let calls: Call[]
let stubs: number
let answers: Record<string, (attempt: number) => unknown>

/** Each method answers what the test says of its nth call. */
const namespace = {
  getByName: (name: string, options: unknown) => {
    expect([name, options]).toEqual(['a', { locationHint: 'weur' }])
    const stub = ++stubs
    const method =
      (name: string) =>
      async (...args: unknown[]) => {
        calls.push({ stub, method: name, args })
        return answers[name]?.(calls.filter((call) => call.method === name).length)
      }
    const names = ['admit', 'cancel', 'renew', 'settle', 'isUsable']
    return Object.fromEntries(names.map((each) => [each, method(each)]))
  },
  // The adapter calls these five methods of a stub and nothing else.
} as unknown as GateNamespace

const callsOf = (method: string): Call[] => calls.filter((call) => call.method === method)
const endsOf = (call: Call | undefined): readonly SettleEvent[] =>
  (call?.args[0] ?? []) as readonly SettleEvent[]
const witnessOf = (call: Call | undefined): LeaseWitness | null => endsOf(call)[0]?.witness ?? null

beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
  calls = []
  stubs = 0
  answers = { admit: () => admitted, renew: () => ({ ...LEASE, epoch: 2, expiresAt: 90_000 }) }
})
afterEach(() => vi.useRealTimers())

const fails =
  (flags: object = {}) =>
  () => {
    throw failure(flags)
  }

describe('admit', () => {
  test('asks again once, with the same ticket and a new stub, after a retryable failure', async () => {
    answers['admit'] = (attempt) => (attempt === 1 ? fails({ retryable: true })() : admitted)
    const gates = cloudflareAccountGates(namespace)
    expect(await gates.admit(account, ask('l'))).toEqual(admitted)
    expect(callsOf('admit').map(({ args }) => args[0])).toEqual([ask('l'), ask('l')])
    expect(new Set(callsOf('admit').map(({ stub }) => stub)).size).toBe(2)
  })

  test('is unavailable when it fails a second time, or for good', async () => {
    const gates = cloudflareAccountGates(namespace)
    answers['admit'] = fails({ retryable: true })
    expect(await gates.admit(account, ask('l'))).toEqual({ kind: 'unavailable' })
    expect(callsOf('admit')).toHaveLength(2)
    answers['admit'] = fails()
    expect(await gates.admit(account, ask('m'))).toEqual({ kind: 'unavailable' })
    expect(callsOf('admit')).toHaveLength(3)
  })

  test('never troubles an overloaded object again', async () => {
    answers['admit'] = fails({ retryable: true, overloaded: true })
    expect(await cloudflareAccountGates(namespace).admit(account, ask('l'))).toEqual({
      kind: 'unavailable',
    })
    expect(calls).toHaveLength(1)
  })

  test('is unavailable when the object does not answer in time, and cancels what it asked for', async () => {
    answers['admit'] = () => new Promise(() => {})
    const answer = cloudflareAccountGates(namespace).admit(account, ask('l', { maxWaitMs: 5_000 }))
    await vi.advanceTimersByTimeAsync(6_999)
    expect(callsOf('cancel')).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(await answer).toEqual({ kind: 'unavailable' })
    expect(callsOf('cancel').map(({ args }) => args)).toEqual([['l']])
  })
})

describe('settle', () => {
  test('tells the gate what it knows of the lease', async () => {
    vi.setSystemTime(7)
    const gates = cloudflareAccountGates(namespace)
    await gates.admit(account, ask('l', { lane: 'high' }))
    await gates.settle(account, settlement('l'))
    expect(witnessOf(callsOf('settle')[0])).toEqual({
      epoch: 1,
      heldUntil: 60_000,
      certain: true,
      tenant: 't',
      lane: 'high',
      modelClass: 'sonnet',
      since: 7,
    })
  })

  test('is said again until it is kept, and proves nothing after the first time', async () => {
    answers['settle'] = (attempt) => (attempt < 4 ? fails()() : undefined)
    const gates = cloudflareAccountGates(namespace)
    await gates.admit(account, ask('l'))
    const settled = gates.settle(account, settlement('l'))
    await vi.advanceTimersByTimeAsync(10_000)
    await settled
    const witnesses = callsOf('settle').map(witnessOf)
    expect(witnesses.map((witness) => witness !== null)).toEqual([true, false, false, false])
  })

  test('fails in the end, and at once where the object is overloaded', async () => {
    answers['settle'] = fails()
    const gates = cloudflareAccountGates(namespace)
    const settled = gates.settle(account, settlement('l')).catch(String)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await settled).toContain('The object is gone')
    expect(callsOf('settle')).toHaveLength(5)
    answers['settle'] = fails({ overloaded: true })
    await expect(gates.settle(account, settlement('m'))).rejects.toThrow('The object is gone')
    expect(callsOf('settle')).toHaveLength(6)
  })

  test('that met an overloaded object is said again behind one that it took, one for one', async () => {
    const gates = cloudflareAccountGates(namespace)
    const leases = (): unknown[] =>
      callsOf('settle').map((call) => endsOf(call)[0]?.settlement.leaseId)
    answers['settle'] = fails({ overloaded: true })
    for (const lease of ['a', 'b', 'c']) {
      await expect(gates.settle(account, settlement(lease))).rejects.toThrow('The object is gone')
    }
    // The fourth is taken, what is owed behind it is not: it stays owed.
    answers['settle'] = (attempt) => (attempt === 5 ? fails({ overloaded: true })() : undefined)
    for (const lease of ['d', 'e', 'f', 'g', 'h']) await gates.settle(account, settlement(lease))
    expect(leases()).toEqual(['a', 'b', 'c', 'd', 'a', 'e', 'b', 'f', 'c', 'g', 'a', 'h'])
    expect(callsOf('settle').slice(4, 5).map(witnessOf)).toEqual([null])
  })

  test('waits for a renewal that is under way, so that the gate hears them in order', async () => {
    const renewal = Promise.withResolvers<unknown>()
    answers['renew'] = () => renewal.promise
    const gates = cloudflareAccountGates(namespace)
    await gates.admit(account, ask('l'))
    const renewed = gates.renew(account, LEASE, { answering: false })
    const settled = gates.settle(account, settlement('l'))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(callsOf('settle')).toEqual([])
    renewal.resolve({ ...LEASE, epoch: 5, expiresAt: 99_000 })
    await Promise.all([renewed, settled])
    expect(witnessOf(callsOf('settle')[0])).toMatchObject({ epoch: 5, heldUntil: 99_000 })
  })
})

describe('renew', () => {
  test('remembers what the gate confirmed', async () => {
    const gates = cloudflareAccountGates(namespace)
    await gates.admit(account, ask('l'))
    const standing = await gates.renew(account, LEASE, { answering: false })
    expect(standing).toEqual({ kind: 'held', until: 90_000 })
    await gates.settle(account, settlement('l'))
    expect(witnessOf(callsOf('settle')[0])).toMatchObject({
      epoch: 2,
      heldUntil: 90_000,
      certain: true,
    })
  })

  test('that fails is no exception, but the lease is not certain any more', async () => {
    answers['renew'] = fails()
    const gates = cloudflareAccountGates(namespace)
    await gates.admit(account, ask('l'))
    expect(await gates.renew(account, LEASE, { answering: false })).toEqual({ kind: 'unknown' })
    await gates.settle(account, settlement('l'))
    expect(witnessOf(callsOf('settle')[0])).toMatchObject({ heldUntil: 60_000, certain: false })
  })
})

test('a gate that cannot be reached is not usable: it says so by an exception', async () => {
  answers['isUsable'] = fails()
  await expect(cloudflareAccountGates(namespace).isUsable(account)).rejects.toThrow()
})
