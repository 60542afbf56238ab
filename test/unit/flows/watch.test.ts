// The watch of an upstream call: which deadline ends it, and what becomes of it when its lease cannot be kept.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { separateWaits } from '../../../src/adapters/separate-waits.ts'
import { type Interruption, Watch } from '../../../src/flows/watch.ts'
import type { LeaseStanding } from '../../../src/ports.ts'

const SETTINGS = {
  connectTimeoutMs: 1_000,
  firstByteTimeoutMs: 10_000,
  idleTimeoutMs: 5_000,
  totalTimeoutMs: 100_000,
  pingMs: 2_000,
  leaseTtlMs: 60_000,
  leaseRenewMs: 20_000,
}

let renewals: boolean[]
let reach: () => Promise<void>
let answers: (attempt: number) => Promise<LeaseStanding>

beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
  renewals = []
  reach = () => new Promise(() => {})
  answers = async () => ({ kind: 'held', until: Date.now() + SETTINGS.leaseTtlMs })
})
afterEach(() => vi.useRealTimers())

const open = (changed: Partial<typeof SETTINGS> = {}, leaseExpiresAt = 60_000): Watch =>
  new Watch({
    settings: { ...SETTINGS, ...changed },
    callerSignal: new AbortController().signal,
    leaseExpiresAt,
    now: Date.now,
    waits: separateWaits,
    reach: () => reach(),
    renew: ({ answering }) => answers(renewals.push(answering)),
  })

/** When the call was aborted, and why. */
async function endOf(watch: Watch): Promise<[number, Interruption | null]> {
  let at = Number.NaN
  watch.signal.addEventListener('abort', () => (at = Date.now()))
  await vi.advanceTimersByTimeAsync(300_000)
  return [at, watch.interruption]
}

const patient = { connectTimeoutMs: 1e6, firstByteTimeoutMs: 1e6, totalTimeoutMs: 1e6 }

describe('a deadline', () => {
  it('ends a call that does not connect', async () => {
    expect(await endOf(open())).toEqual([1_000, 'connect_timeout'])
  })

  it('ends a call that connected and is not answered', async () => {
    reach = async () => {}
    expect(await endOf(open())).toEqual([10_000, 'first_byte_timeout'])
  })

  it('asks nobody whether upstream can be reached where an answer came soon', async () => {
    reach = () => expect.unreachable()
    const watch = open()
    await vi.advanceTimersByTimeAsync(400)
    watch.touch()
    expect(await endOf(watch)).toEqual([5_400, 'idle_timeout'])
  })

  it('for the first byte holds where it is the shorter one', async () => {
    expect(await endOf(open({ firstByteTimeoutMs: 500 }))).toEqual([500, 'first_byte_timeout'])
  })

  it('ends a call that falls silent', async () => {
    const watch = open()
    await vi.advanceTimersByTimeAsync(900)
    watch.touch()
    await vi.advanceTimersByTimeAsync(4_000)
    watch.touch()
    expect(await endOf(watch)).toEqual([9_900, 'idle_timeout'])
  })

  it('ends a call that never falls silent', async () => {
    const watch = open({ totalTimeoutMs: 7_000 })
    const talking = setInterval(() => watch.touch(), 500)
    expect(await endOf(watch)).toEqual([7_000, 'total_timeout'])
    clearInterval(talking)
  })
})

describe('a lease', () => {
  it('is renewed while the call lives, and the gate hears whether bytes have come', async () => {
    const watch = open(patient)
    await vi.advanceTimersByTimeAsync(30_000)
    watch.touch()
    const talking = setInterval(() => watch.touch(), 500)
    await vi.advanceTimersByTimeAsync(50_000)
    expect(renewals).toEqual([false, true, true, true])
    watch.stop()
    clearInterval(talking)
    await vi.advanceTimersByTimeAsync(100_000)
    expect(renewals).toHaveLength(4)
    expect(watch.interruption).toBeNull()
  })

  it('that no gate confirms ends its call before another may have the slot', async () => {
    answers = async () => ({ kind: 'unknown' })
    const [at, why] = await endOf(open(patient))
    expect(why).toBe('lease_lost')
    expect(at).toBeLessThan(60_000)
    expect(at).toBeGreaterThanOrEqual(59_500)
    // Asked again in a hurry, since each answer may be the saving one.
    expect(renewals.length).toBeGreaterThan(5)
  })

  it('ends its call while a renewal hangs', async () => {
    answers = () => new Promise(() => {})
    expect((await endOf(open(patient)))[1]).toBe('lease_lost')
  })

  it('lives on if one renewal of many is heard', async () => {
    answers = async (attempt) =>
      attempt % 4 === 0 ? { kind: 'held', until: Date.now() + 60_000 } : { kind: 'unknown' }
    const watch = open(patient)
    await vi.advanceTimersByTimeAsync(600_000)
    expect(watch.interruption).toBeNull()
    watch.stop()
  })

  it('that the gate has ended ends its call at once', async () => {
    answers = async () => ({ kind: 'over' })
    expect(await endOf(open(patient))).toEqual([20_000, 'lease_lost'])
  })

  it('of which a restarted gate promises only a part is renewed before that part is over', async () => {
    answers = async (attempt) => ({ kind: 'held', until: attempt === 1 ? 25_000 : 200_000 })
    const watch = open(patient)
    await vi.advanceTimersByTimeAsync(30_000)
    expect(watch.interruption).toBeNull()
    expect(renewals).toHaveLength(2)
    watch.stop()
  })

  it('that is renewed as late as the settings allow is not lost by its margin', async () => {
    const late = { ...patient, leaseTtlMs: 1_000, leaseRenewMs: 990 }
    answers = async () => ({ kind: 'held', until: Date.now() + 1_000 })
    const watch = open(late, 1_000)
    await vi.advanceTimersByTimeAsync(20_000)
    expect(watch.interruption).toBeNull()
    watch.stop()
  })

  it('is forgotten once the call has ended: a late answer arms nothing', async () => {
    const late = Promise.withResolvers<LeaseStanding>()
    answers = () => late.promise
    const watch = open(patient)
    await vi.advanceTimersByTimeAsync(20_000)
    watch.stop()
    late.resolve({ kind: 'over' })
    await vi.advanceTimersByTimeAsync(0)
    expect(watch.interruption).toBeNull()
    expect(vi.getTimerCount()).toBe(0)
  })
})

it('tells with each renewal what its stream has produced by then', async () => {
  const told: (number | undefined)[] = []
  let produced = 0
  const watch = new Watch({
    settings: { ...SETTINGS, ...patient, idleTimeoutMs: 1e6 },
    callerSignal: new AbortController().signal,
    leaseExpiresAt: 60_000,
    now: Date.now,
    waits: separateWaits,
    reach: async () => {},
    renew: ({ outputTokens }) => answers(told.push(outputTokens)),
  })
  await vi.advanceTimersByTimeAsync(20_000)
  watch.tellOutput(() => produced)
  produced = 700
  await vi.advanceTimersByTimeAsync(20_000)
  produced = 1_900
  await vi.advanceTimersByTimeAsync(20_000)
  watch.stop()
  expect(told).toEqual([0, 700, 1_900])
})
