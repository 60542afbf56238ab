// The limits around all tenants: of an address, and of the whole deployment, wherever they are counted.
import { beforeEach, describe, expect, test } from 'vitest'
import type { AroundLimits } from '../../src/core/limits/request-windows.ts'
import type { RequestLimits } from '../../src/ports.ts'
import { countAllowed, newCaller, takeMany } from './request-limits-suite.ts'

export interface AroundUnderTest {
  readonly limits: RequestLimits
  readonly clock: { now: number }
}

const WIDE = { requestsPerMinute: 100, requestsPerHour: 1_000 }
let addresses = 0

/** Each test comes from elsewhere. */
const newAddress = (): string => {
  addresses += 1
  return `203.0.113.${addresses}`
}

export function describeAroundLimits(
  adapter: string,
  open: (around: AroundLimits) => Promise<AroundUnderTest> | AroundUnderTest,
): void {
  describe(`limits of an address: ${adapter}`, () => {
    let limits: RequestLimits
    let clock: { now: number }
    let address: string
    beforeEach(async () => {
      address = newAddress()
      ;({ limits, clock } = await open({ addressPerMinute: 5, deploymentPerMinute: null }))
    })

    test('hold for all tenants that call from there, and say exactly for how long', async () => {
      const [one, other] = [newCaller(WIDE, { address }), newCaller(WIDE, { address })]
      expect(countAllowed(await takeMany(limits, one, 3))).toBe(3)
      clock.now += 1_000
      const decisions = await takeMany(limits, other, 4)
      expect(countAllowed(decisions)).toBe(2)
      expect(decisions.at(-1)).toMatchObject({ refusedBy: ['address'], retryAfterMs: 59_000 })
      clock.now += 58_999
      expect(await limits.take(other)).toMatchObject({ kind: 'refused', retryAfterMs: 1 })
      clock.now += 1
      expect(await limits.take(other)).toMatchObject({ kind: 'allowed' })
    })

    test('leave the same tenant alone where it calls from elsewhere', async () => {
      const caller = newCaller(WIDE, { address })
      await takeMany(limits, caller, 6)
      const elsewhere = { ...caller, address: newAddress() }
      expect(await limits.take(elsewhere)).toMatchObject({ kind: 'allowed' })
    })

    test("use nothing of the tenant's up by refusing, nor the tenant's refusals anything of theirs", async () => {
      const caller = newCaller(WIDE, { address })
      await takeMany(limits, caller, 20)
      expect(await limits.peek(caller)).toMatchObject([{ remaining: 95 }, { remaining: 995 }])
      const fresh = newAddress()
      const narrow = newCaller({ ...WIDE, requestsPerMinute: 1 }, { address: fresh })
      await takeMany(limits, narrow, 20)
      const others = await takeMany(limits, newCaller(WIDE, { address: fresh }), 6)
      expect(countAllowed(others)).toBe(4)
    })

    test('are told together with those of the tenant, until the last of them has room', async () => {
      const caller = newCaller({ requestsPerMinute: 5, requestsPerHour: 5 }, { address })
      const decisions = await takeMany(limits, caller, 6)
      expect(decisions.at(-1)).toMatchObject({
        refusedBy: ['minute', 'hour', 'address'],
        retryAfterMs: 3_600_000,
      })
    })

    test('give back what is refunded', async () => {
      const caller = newCaller(WIDE, { address })
      await takeMany(limits, caller, 6)
      await limits.refund(caller)
      const after = await takeMany(limits, caller, 2)
      expect(after.map(({ kind }) => kind)).toEqual(['allowed', 'refused'])
    })

    test('admit exactly the limit of 50 requests at once', async () => {
      const caller = newCaller(WIDE, { address })
      const all = await Promise.all(Array.from({ length: 50 }, () => limits.take(caller)))
      expect(countAllowed(all)).toBe(5)
    })

    test('count an IPv6 network of 64 bits as one, and a dressed IPv4 address as itself', async () => {
      const from = (text: string) => newCaller(WIDE, { address: text })
      const network = `2001:db8:0:${addresses}`
      for (const host of ['::1', '::2', ':ffff::3', ':1:2:3:4', '::9']) {
        await limits.take(from(`${network}${host}`))
      }
      expect(await limits.take(from(`${network}::abcd`))).toMatchObject({ kind: 'refused' })
      expect(await limits.take(from(`2001:db8:1:${addresses}::1`))).toMatchObject({
        kind: 'allowed',
      })
      await takeMany(limits, from(`::ffff:${address}`), 5)
      expect(await limits.take(from(address))).toMatchObject({ kind: 'refused' })
    })

    test.each([null, undefined, '', 'unknown', '1.2.3.4, 5.6.7.8'])(
      'hold nobody whose address is %j',
      async (unknown) => {
        const caller = newCaller(WIDE, unknown === undefined ? {} : { address: unknown })
        expect(countAllowed(await takeMany(limits, caller, 10))).toBe(10)
      },
    )

    test('are recalled before a key is looked at, without a word on the tenant', async () => {
      expect(limits.recall(address)).toBeNull()
      await takeMany(limits, newCaller(WIDE, { address }), 6)
      clock.now += 400
      const recalled = limits.recall(address)
      expect(recalled).toMatchObject({ refusedBy: ['address'], retryAfterMs: 59_600 })
      expect(recalled?.windows.map(({ name }) => name)).toEqual(['address'])
      expect(limits.recall(newAddress())).toBeNull()
      expect(limits.recall(null)).toBeNull()
    })

    test('are not recalled where only a tenant was refused', async () => {
      await takeMany(limits, newCaller({ ...WIDE, requestsPerMinute: 1 }, { address }), 2)
      expect(limits.recall(address)).toBeNull()
    })
  })

  describe(`limits of the deployment: ${adapter}`, () => {
    test('hold for all tenants and addresses together', async () => {
      const { limits, clock } = await open({ addressPerMinute: null, deploymentPerMinute: 5 })
      const callers = Array.from({ length: 8 }, () => newCaller(WIDE, { address: newAddress() }))
      const decisions = await Promise.all(callers.map((caller) => limits.take(caller)))
      expect(countAllowed(decisions)).toBe(5)
      const refused = decisions.find(({ kind }) => kind === 'refused')
      expect(refused).toMatchObject({ refusedBy: ['deployment'], retryAfterMs: 60_000 })
      expect(limits.recall(null)).toMatchObject({ refusedBy: ['deployment'] })
      const unlimited = newCaller({ requestsPerMinute: null, requestsPerHour: null })
      expect(await limits.take(unlimited)).toMatchObject({ kind: 'refused' })
      clock.now += 60_000
      expect(limits.recall(null)).toBeNull()
      expect(await limits.take(unlimited)).toMatchObject({ kind: 'allowed' })
    })
  })
}
