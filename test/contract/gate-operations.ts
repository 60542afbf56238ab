// What every adapter of GateOperations promises, on the gates that calls use.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Account } from '../../src/core/answering/account.ts'
import type { AccountGates, GateOperations } from '../../src/ports.ts'
import { ask, failed, served, settlement } from '../support/admission.ts'
import { anAccount } from './account-gates.ts'

export interface OperatedGates {
  readonly gates: AccountGates
  readonly operations: GateOperations
  stop(): void
}

export function describeGateOperations(name: string, make: () => OperatedGates): void {
  describe(`operations on ${name} gates`, () => {
    let under: OperatedGates
    let gates: AccountGates
    let operations: GateOperations
    let account: Account
    beforeEach(() => {
      under = make()
      ;({ gates, operations } = under)
      account = anAccount(`account-${crypto.randomUUID()}`)
    })
    afterEach(() => under.stop())

    const admits = async (ticket: string): Promise<string> => {
      const answer = await gates.admit(account, ask(ticket))
      return answer.kind === 'refused' ? answer.refusal.reason : answer.kind
    }
    const end = async (ticket: string, outcome = served): Promise<void> => {
      const { epoch } = await operations.snapshot(account)
      await gates.settle(account, settlement(ticket, outcome, { epoch }))
    }
    const causes = async (limit = 10, before: number | null = null): Promise<string[]> =>
      (await operations.timeline(account, { limit, before })).map(
        ({ to, cause }) => `${to} ${cause}`,
      )

    test('show a gate that nobody has asked yet, with the numbers of its account', async () => {
      expect(await operations.snapshot({ ...account, weight: 3, draining: true })).toMatchObject({
        id: account.id,
        state: 'closed',
        models: {},
        limit: 2,
        max_concurrent: 2,
        in_use: 0,
        waiting: { high: 0, normal: 0, low: 0 },
        waiting_by_tenant: {},
        leases: [],
        rate: { requests: null, input_tokens: null, output_tokens: null },
        draining: true,
        weight: 3,
        last_errors: [],
        hold: null,
      })
      expect(await causes()).toEqual([])
    })

    test('show who holds and who waits', async () => {
      await gates.admit(account, ask('a', { limit: 1 }))
      const waiting = gates.admit(account, ask('b', { limit: 1, maxWaitMs: 5_000 }))
      await expect
        .poll(() => operations.snapshot(account))
        .toMatchObject({ in_use: 1, leases: [{ id: 'a' }], waiting: { normal: 1 } })
      await end('a')
      await waiting
      expect(await operations.snapshot(account)).toMatchObject({ leases: [{ id: 'b' }] })
    })

    test('open by hand holds at the next call, until it is closed by hand', async () => {
      await operations.operate(account, 'open')
      expect(await admits('a')).toBe('open')
      expect(await operations.snapshot(account)).toMatchObject({ state: 'open', hold: 'manual' })
      await operations.operate(account, 'close')
      expect(await admits('b')).toBe('admitted')
      expect(await causes()).toEqual(['closed operator', 'manual operator'])
    })

    test('open by hand does not end the calls that are in flight', async () => {
      await admits('a')
      await operations.operate(account, 'open')
      expect(await operations.snapshot(account)).toMatchObject({ in_use: 1 })
      await end('a')
      expect(await operations.snapshot(account)).toMatchObject({ in_use: 0, state: 'open' })
    })

    test('close opens the breaker of each model class again', async () => {
      for (let call = 0; call < 5; call += 1) {
        await admits(`f${call}`)
        await end(`f${call}`, failed)
      }
      expect(await admits('x')).toBe('open')
      await operations.operate(account, 'close')
      expect(await admits('y')).toBe('admitted')
      expect((await causes())[0]).toBe('closed operator')
    })

    test('reset forgets the errors, and always leaves a word in the timeline', async () => {
      await admits('a')
      await end('a', failed)
      expect((await operations.snapshot(account)).last_errors).toHaveLength(1)
      await operations.operate(account, 'reset')
      expect((await operations.snapshot(account)).last_errors).toEqual([])
      await operations.operate(account, 'reset')
      expect(await causes()).toEqual(['closed operator_reset', 'closed operator_reset'])
    })

    test('the timeline comes in pages, the latest first, none twice and none missing', async () => {
      for (let turn = 0; turn < 5; turn += 1) {
        await operations.operate(account, 'open')
        await operations.operate(account, 'close')
      }
      const all = await operations.timeline(account, { limit: 100, before: null })
      expect(all.map(({ to }) => to)).toEqual(
        Array.from({ length: 5 }, () => ['closed', 'manual']).flat(),
      )
      const first = await operations.timeline(account, { limit: 3, before: null })
      // What is added meanwhile changes no later page.
      await operations.operate(account, 'reset')
      const second = await operations.timeline(account, {
        limit: 100,
        before: first.at(-1)?.seq ?? 0,
      })
      expect([...first, ...second]).toEqual(all)
    })

    test('an account that has calls is not retired, and nothing changes', async () => {
      await operations.operate(account, 'reset')
      await admits('a')
      expect(await operations.retire(account)).toBe(false)
      expect(await operations.snapshot(account)).toMatchObject({ in_use: 1 })
      expect(await causes()).toHaveLength(1)
    })

    test('a retired account has left nothing, and one of its name begins anew', async () => {
      await admits('a')
      await end('a', failed)
      await operations.operate(account, 'open')
      expect(await operations.retire(account)).toBe(true)
      expect(await operations.snapshot(account)).toMatchObject({
        state: 'closed',
        models: {},
        in_use: 0,
        last_errors: [],
        hold: null,
      })
      expect(await causes()).toEqual([])
      expect(await admits('b')).toBe('admitted')
    })
  })
}
