// What every adapter of AccountGates promises, whatever carries it.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Admission } from '../../src/core/admission/admission.ts'
import type { Account } from '../../src/core/answering/account.ts'
import type { AccountGates, GateUnavailable } from '../../src/ports.ts'
import { ask, failed, served, settlement } from '../support/admission.ts'

export interface GatesUnderTest {
  readonly gates: AccountGates
  stop(): void
}

export const anAccount = (id: string): Account => ({
  id,
  apiKey: 'sk-test',
  baseUrl: 'http://127.0.0.1:1',
  weight: 1,
  maxConcurrent: 2,
  minConcurrent: 1,
  backup: false,
  models: ['*'],
  locationHint: null,
  draining: false,
})

const leaseOf = (answer: Admission | GateUnavailable) => {
  if (answer.kind !== 'admitted') throw new Error(`Expected a lease, got ${JSON.stringify(answer)}`)
  return answer.lease
}

export function describeAccountGates(name: string, make: () => GatesUnderTest): void {
  describe(`${name} gates`, () => {
    let under: GatesUnderTest
    let gates: AccountGates
    let account: Account
    beforeEach(() => {
      under = make()
      gates = under.gates
      account = anAccount(`account-${crypto.randomUUID()}`)
    })
    afterEach(() => under.stop())

    const end = (leaseId: string, epoch: number, outcome = served): Promise<void> =>
      gates.settle(account, settlement(leaseId, outcome, { epoch }))

    test('admit up to the limit and refuse beyond it', async () => {
      const answers = await Promise.all(
        ['a', 'b', 'c'].map((ticket) => gates.admit(account, ask(ticket))),
      )
      expect(answers.map(({ kind }) => kind)).toEqual(['admitted', 'admitted', 'refused'])
      expect(answers[2]).toMatchObject({ refusal: { reason: 'full', queuedMs: 0 } })
    })

    test('keep the accounts apart', async () => {
      const other = anAccount(`${account.id}-other`)
      await gates.admit(account, ask('a', { limit: 1 }))
      expect(await gates.admit(other, ask('b', { limit: 1 }))).toMatchObject({ kind: 'admitted' })
    })

    test('let a waiter in as soon as a slot frees', async () => {
      const lease = leaseOf(await gates.admit(account, ask('a', { limit: 1 })))
      const waiting = gates.admit(account, ask('b', { limit: 1, maxWaitMs: 5_000 }))
      await end(lease.id, lease.epoch)
      expect(await waiting).toMatchObject({ kind: 'admitted', lease: { id: 'b' } })
    })

    test('turn a waiter away at its deadline', async () => {
      await gates.admit(account, ask('a', { limit: 1 }))
      const answer = await gates.admit(account, ask('b', { limit: 1, maxWaitMs: 30 }))
      expect(answer).toMatchObject({ kind: 'refused', refusal: { reason: 'queue_timeout' } })
    })

    test('answer a waiter that is cancelled, and give its place on', async () => {
      const lease = leaseOf(await gates.admit(account, ask('a', { limit: 1 })))
      const gone = gates.admit(account, ask('b', { limit: 1, maxWaitMs: 5_000 }))
      const next = gates.admit(account, ask('c', { limit: 1, maxWaitMs: 5_000 }))
      await gates.cancel(account, 'b')
      expect(await gone).toMatchObject({ kind: 'refused', refusal: { reason: 'cancelled' } })
      await end(lease.id, lease.epoch)
      expect(await next).toMatchObject({ kind: 'admitted' })
    })

    test('say where a waiter stands, and nothing of one that does not wait', async () => {
      await gates.admit(account, ask('a', { limit: 1 }))
      const waiting = gates.admit(account, ask('b', { limit: 1, maxWaitMs: 5_000, lane: 'low' }))
      await vi.waitFor(async () => {
        const place = { lane: 'low', position: 1, waiting: 1 }
        expect(await gates.placeOf(account, 'b')).toEqual(place)
      })
      expect(await gates.placeOf(account, 'a')).toBeNull()
      await gates.cancel(account, 'b')
      await waiting
      expect(await gates.placeOf(account, 'b')).toBeNull()
    })

    test('free the lease of a caller that cancels after it was admitted', async () => {
      await gates.admit(account, ask('a', { limit: 1 }))
      await gates.cancel(account, 'a')
      expect(await gates.admit(account, ask('b', { limit: 1 }))).toMatchObject({ kind: 'admitted' })
    })

    test('settle a lease once, however often it is said', async () => {
      const first = leaseOf(await gates.admit(account, ask('a')))
      await gates.admit(account, ask('b'))
      await end(first.id, first.epoch)
      await end(first.id, first.epoch)
      expect(await gates.admit(account, ask('c'))).toMatchObject({ kind: 'admitted' })
      expect(await gates.admit(account, ask('d'))).toMatchObject({ kind: 'refused' })
    })

    test('give the same ticket the same lease', async () => {
      const first = leaseOf(await gates.admit(account, ask('a', { limit: 1 })))
      const again = leaseOf(await gates.admit(account, ask('a', { limit: 1 })))
      expect(again.id).toBe(first.id)
    })

    test('renew a lease, and settle one that nobody knows, without complaint', async () => {
      const lease = leaseOf(await gates.admit(account, ask('a')))
      const standing = await gates.renew(account, lease, { answering: false })
      expect(standing.kind).toBe('held')
      expect(standing.kind === 'held' && standing.until).toBeGreaterThanOrEqual(lease.expiresAt)
      await gates.settle(account, settlement('unknown', served, { epoch: lease.epoch }))
      expect(await gates.admit(account, ask('b', { limit: 1 }))).toMatchObject({ kind: 'refused' })
    })

    test('tell the holder of a lease that has ended', async () => {
      const lease = leaseOf(await gates.admit(account, ask('a')))
      await end(lease.id, lease.epoch)
      expect(await gates.renew(account, lease, { answering: false })).toEqual({ kind: 'over' })
    })

    test('hold back once another account of the same organization found its bucket empty', async () => {
      const reading = {
        account: 'other',
        organization: 'org',
        modelClass: 'sonnet',
        rate: { requests: { limit: 60, remaining: 0, resetAt: Date.now() + 3_600_000 } },
        retryAfterMs: 30_000,
      }
      await gates.observe(account, reading)
      expect(await gates.admit(account, ask('a'))).toMatchObject({
        refusal: { reason: 'throttled' },
      })
      expect(await gates.admit(account, ask('b', { modelClass: 'opus' }))).toMatchObject({
        kind: 'admitted',
      })
    })

    test('are usable while calls pass, full or not, and not while the breaker is open', async () => {
      expect(await gates.isUsable(account)).toBe(true)
      for (let call = 0; call < 5; call++) {
        const lease = leaseOf(await gates.admit(account, ask(`f${call}`)))
        await end(lease.id, lease.epoch, failed)
      }
      expect(await gates.admit(account, ask('x'))).toMatchObject({ refusal: { reason: 'open' } })
      expect(await gates.isUsable(account)).toBe(false)
    })
  })
}
