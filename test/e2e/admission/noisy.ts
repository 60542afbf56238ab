// One tenant makes 80 % of the load, and the load is five times what the account can do: quiet tenants are never refused
// and wait at most two service times.
import { call, keepAsking, pause } from './callers.ts'
import type { World } from './world.ts'

export interface NoisyOptions {
  readonly account: string
  readonly model: string
  readonly slots: number
  readonly serviceMs: number
  readonly durationMs: number
  readonly noisyKey: string
  readonly quietKeys: readonly string[]
}

export interface NoisyResult {
  readonly noisyCalls: number
  readonly noisyRefused: number
  readonly quietCalls: number
  readonly quietRefused: number
  readonly longestQuietWaitMs: number
  /** As it was: a busy machine serves later than it is told to. */
  readonly longestServiceMs: number
}

export async function runNoisy(world: World, options: NoisyOptions): Promise<NoisyResult> {
  const since = world.simulator.journal.list().at(-1)?.n ?? 0
  const { account, model, slots, serviceMs, durationMs, noisyKey, quietKeys } = options
  const capacityPerMs = slots / serviceMs
  const waits: number[] = []
  const counts = { noisyCalls: 0, noisyRefused: 0, quietCalls: 0, quietRefused: 0 }
  const ask = (key: string) => call(world, { key, fault: `slow=${serviceMs}`, fields: { model } })
  const untilAt = Date.now() + durationMs
  const isOver = (): boolean => Date.now() >= untilAt
  const pending: Promise<void>[] = []
  const noisy = async (): Promise<void> => {
    const { status } = await ask(noisyKey)
    counts.noisyCalls += 1
    if (status !== 200) counts.noisyRefused += 1
  }
  // An open loop, as real load is: four times the capacity from one tenant, whatever becomes of its calls.
  const noise = keepAsking(1, isOver, async () => {
    const startedAt = Date.now()
    for (let due = 0; due < 4 * capacityPerMs * 20; due += 1) pending.push(noisy())
    await pause(Math.max(0, 20 - (Date.now() - startedAt)))
  })
  // And once the capacity from all the others together, a call of each at a time.
  const everyMs = quietKeys.length / capacityPerMs
  const quiet = keepAsking(quietKeys.length, isOver, async (caller) => {
    const startedAt = Date.now()
    const { status, queuedMs } = await ask(quietKeys[caller] ?? '')
    counts.quietCalls += 1
    if (status === 200) waits.push(queuedMs)
    else counts.quietRefused += 1
    await pause(Math.max(0, everyMs - (Date.now() - startedAt)))
  })
  await Promise.all([noise, quiet])
  await Promise.all(pending)
  const services = world.simulator.journal
    .list({ org: account, since })
    .map(({ at, finished_at: end }) => (end ?? at) - at)
  return {
    ...counts,
    longestQuietWaitMs: Math.max(0, ...waits),
    longestServiceMs: Math.max(serviceMs, ...services),
  }
}
