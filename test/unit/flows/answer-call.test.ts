// The story of a call, attempt by attempt: who is asked again and who is not, and when a slot comes home.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LimitDecision } from '../../../src/ports.ts'
import {
  begun,
  claudeError,
  flowWorld,
  hangs,
  served,
  streamed,
  type FlowWorld,
  type FlowWorldOptions,
} from '../../support/flow-world.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
})
afterEach(() => vi.useRealTimers())

const TWO = [{ id: 'alpha' }, { id: 'beta' }]
/** Only what a test is about may stop a retry. */
const PATIENT = { SLUICE_BREAKER_CONSECUTIVE: 1_000_000, SLUICE_BREAKER_MIN_CALLS: 1_000_000 }

const worldOf = (answer: FlowWorldOptions['answer'], more: Partial<FlowWorldOptions> = {}) =>
  flowWorld({ answer, ...more, settings: { ...PATIENT, ...more.settings } })

/** Runs to the end of everything, whatever it waits for. */
async function ended<T>(answering: Promise<T>, world: FlowWorld): Promise<T | Error> {
  const answer = answering.catch((error: unknown) => error as Error)
  await vi.advanceTimersByTimeAsync(600_000)
  await world.settled()
  return answer
}

const heldBy = ({ gates, accounts }: FlowWorld): number =>
  accounts.reduce((sum, account) => sum + gates.gateOf(account).leases.held.size, 0)

describe('a failure', () => {
  it('before the first event is tried again at another account, and once more at most', async () => {
    const world = worldOf(() => claudeError(529, 'overloaded_error'), { accounts: TWO })
    const answer = await ended(world.ask(), world)
    expect(answer).toMatchObject({ status: 529 })
    expect(world.attempts).toHaveLength(3)
    expect(world.attempts[0]?.account).not.toBe(world.attempts[1]?.account)
    expect(heldBy(world)).toBe(0)
  })

  it.each(['breaks', 'ends', 'stalls'] as const)(
    'after the first event is never tried again: the stream %s',
    async (then) => {
      const world = worldOf((attempt) => streamed(begun, then === 'stalls' ? attempt : then), {
        accounts: TWO,
      })
      const answer = (await world.ask()) as Response
      const text = await ended(answer.text(), world)
      expect(text).toMatch(/event: error\n/)
      expect(world.attempts).toHaveLength(1)
      expect(heldBy(world)).toBe(0)
    },
  )

  it('is not tried again for a client that says that it retries by itself', async () => {
    const world = worldOf(() => claudeError(529, 'overloaded_error'), { accounts: TWO })
    await ended(world.ask({ isClientRetry: true }), world)
    expect(world.attempts).toHaveLength(1)
  })

  it('costs at most 1.3 calls upstream for each of a caller’s while nothing works', async () => {
    const world = worldOf(() => claudeError(529, 'overloaded_error'), { accounts: TWO })
    for (let asked = 0; asked < 200; asked += 1) await ended(world.ask(), world)
    expect(world.attempts.length).toBeLessThanOrEqual(200 * 1.3)
    const before = world.attempts.length
    for (let asked = 0; asked < 100; asked += 1) await ended(world.ask(), world)
    // What was saved up is gone: each call is one call.
    expect(world.attempts.length - before).toBe(100)
  })
})

describe('`retry-after`', () => {
  it('of a 429 is waited for before the same account is asked again', async () => {
    const world = worldOf((_, nth) =>
      nth === 1 ? claudeError(429, 'rate_limit_error', { 'retry-after': '7' }) : served(),
    )
    const answer = await ended(world.ask({ maxWaitMs: 60_000 }), world)
    expect(answer).toMatchObject({ status: 200 })
    expect(world.attempts.map(({ at }) => at >= 7_000)).toEqual([false, true])
  })

  it('on a 200 means nothing: an error event is tried again as soon as without it', async () => {
    const error = { type: 'error', error: { type: 'rate_limit_error', message: 'slow down' } }
    const world = worldOf((_, nth) =>
      nth === 1 ? streamed([error], 'ends', { 'retry-after': '30' }) : served(),
    )
    const answer = await ended(world.ask(), world)
    expect(answer).toMatchObject({ status: 200 })
    expect(world.attempts[1]?.at).toBeLessThanOrEqual(500)
  })

  it('on a served 200 pauses nobody', async () => {
    const world = worldOf(() => {
      const answer = served()
      answer.headers.set('retry-after', '30')
      return answer
    })
    expect(await ended(world.ask(), world)).toMatchObject({ status: 200 })
    expect(await ended(world.ask(), world)).toMatchObject({ status: 200 })
    expect(world.attempts).toHaveLength(2)
  })
})

describe('the slot of a call', () => {
  const taken = async (world: FlowWorld, ms: number): Promise<number> => {
    await vi.advanceTimersByTimeAsync(ms)
    return heldBy(world)
  }

  it('that was answered is free at once', async () => {
    const world = worldOf(() => served())
    await world.ask()
    expect(await taken(world, 0)).toBe(0)
  })

  it('that we cut is free once Claude has had time to notice', async () => {
    const world = worldOf((attempt) => hangs(attempt), {
      settings: { SLUICE_RETRY_ATTEMPTS: 1, SLUICE_FIRST_BYTE_TIMEOUT_MS: 1_000 },
    })
    const answering = world.ask().catch(() => null)
    expect(await taken(world, 1_001)).toBe(1)
    expect(await taken(world, 100)).toBe(0)
    await answering
  })

  it.each(['before its first byte', 'in the middle of its stream'])(
    'whose caller leaves %s is free once Claude has had time to notice',
    async (when) => {
      const world = worldOf((attempt) =>
        when.startsWith('before') ? hangs(attempt) : streamed(begun, attempt),
      )
      const caller = new AbortController()
      const answering = world.ask({}, caller.signal).catch(() => null)
      await vi.advanceTimersByTimeAsync(10)
      const answer = when.startsWith('before') ? null : await answering
      const reader = answer?.body?.getReader()
      await reader?.read()
      caller.abort()
      await reader?.cancel()
      expect(await taken(world, 1)).toBe(1)
      expect(await taken(world, 100)).toBe(0)
    },
  )

  it('whose first event is an error is free once Claude has had time to notice', async () => {
    const error = { type: 'error', error: { type: 'overloaded_error', message: 'busy' } }
    const world = worldOf((attempt) => streamed([error], attempt), {
      settings: { SLUICE_RETRY_ATTEMPTS: 1 },
    })
    await world.ask()
    expect(await taken(world, 1)).toBe(1)
    expect(await taken(world, 100)).toBe(0)
  })
})

describe('what a call teaches its gate', () => {
  const WARY = { SLUICE_BREAKER_CONSECUTIVE: 3, SLUICE_RETRY_ATTEMPTS: 1 }
  const phaseOf = ({ gates, accounts: [account] }: FlowWorld): string[] =>
    [...gates.gateOf(account!).classes.values()].map(({ breaker }) => breaker.phase.kind)

  it('by being cut after its first event is a failure', async () => {
    const world = worldOf(() => streamed(begun, 'breaks'), { settings: WARY })
    for (let asked = 0; asked < 3; asked += 1) {
      const answer = (await world.ask()) as Response
      await answer.text()
    }
    expect(phaseOf(world)).toEqual(['open'])
  })

  it('by its caller leaving is nothing', async () => {
    const world = worldOf((attempt) => hangs(attempt), { settings: WARY })
    for (let asked = 0; asked < 10; asked += 1) {
      const caller = new AbortController()
      const answering = world.ask({}, caller.signal).catch(() => null)
      await vi.advanceTimersByTimeAsync(10)
      caller.abort()
      await vi.advanceTimersByTimeAsync(100)
      await answering
    }
    expect(world.attempts).toHaveLength(10)
    expect(phaseOf(world)).toEqual(['closed'])
  })

  it('by a 429 is no failure of the account', async () => {
    const world = worldOf(() => claudeError(429, 'rate_limit_error'), { settings: WARY })
    for (let asked = 0; asked < 10; asked += 1) await ended(world.ask(), world)
    expect(phaseOf(world)).toEqual(['closed'])
  })
})

describe('a refused request uses nothing up', () => {
  it('of the request windows, when the gate refuses', async () => {
    const world = worldOf((attempt) => hangs(attempt), {
      accounts: [{ id: 'alpha', max_concurrent: 1 }],
    })
    const caller = new AbortController()
    const holding = world.ask({}, caller.signal).catch(() => null)
    await vi.advanceTimersByTimeAsync(10)
    await expect(world.ask()).rejects.toMatchObject({ reason: 'queue_full' })
    expect(world.refunds()).toBe(1)
    caller.abort()
    await holding
  })

  it('of the account, when the request windows refuse after the gate has agreed', async () => {
    const { promise, resolve } = Promise.withResolvers<LimitDecision>()
    const world = worldOf(() => served(), { take: () => promise })
    const answering = world.ask().catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(10)
    expect(heldBy(world)).toBe(1)
    const refused = { kind: 'refused', windows: [], refusedBy: [], retryAfterMs: 1 }
    resolve({ ...refused, degraded: false } as unknown as LimitDecision)
    expect(await answering).toBeInstanceOf(Error)
    await world.settled()
    expect(heldBy(world)).toBe(0)
    expect(world.attempts).toHaveLength(0)
  })
})
