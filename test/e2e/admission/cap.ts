// An account whose own cap at Claude falls from 20 to 5 and comes back: few 429s, most of what is allowed is used, and the
// gate climbs back by itself. Counted in answers, so that a slow machine sees the same.
import type { JournalEntry } from '../../../tools/simulator/journal.ts'
import { eventually } from '../../support/eventually.ts'
import { call, keepAsking } from './callers.ts'
import type { World } from './world.ts'

export interface CapOptions {
  readonly account: string
  readonly model: string
  readonly keys: readonly string[]
  readonly serviceMs: number
  readonly callers: number
  /** Answers of Claude under the cap before anything is measured, and those that are. */
  readonly settling: number
  readonly measured: number
  readonly climbWithinMs: number
}

export interface CapResult {
  /** 429s of all answers of Claude while the cap was on, settling left out. */
  readonly throttledShare: number
  /** Served calls of those that a cap of 5 allows in that time. */
  readonly goodput: number
  readonly cappedMs: number
  /** From the cap's end until 19 of 20 calls were in flight; null: not within the bound. */
  readonly backAfterMs: number | null
  readonly refusedCallers: number
}

const CAP = 5
const WHOLE = 20
const PATIENCE_MS = 45_000

export async function runCap(world: World, options: CapOptions): Promise<CapResult> {
  const { account, model, keys, serviceMs, callers, settling, measured } = options
  const { sim, journal } = world.simulator
  let refusedCallers = 0
  let isOver = false
  const load = keepAsking(
    callers,
    () => isOver,
    async (caller) => {
      const key = keys[caller % keys.length] ?? ''
      const { status } = await call(world, { key, fault: `slow=${serviceMs}`, fields: { model } })
      if (status !== 200) refusedCallers += 1
    },
  )
  const capAt = (most: number): number => {
    sim.limits.configure(account, '*', { max_concurrent: most })
    return journal.list().at(-1)?.n ?? 0
  }
  const answered = (since: number, count: number) =>
    journal.wait({ org: account, since }, { count, timeoutMs: PATIENCE_MS })
  try {
    await answered(capAt(WHOLE), 2 * WHOLE)
    await answered(capAt(CAP), settling)
    const since = journal.list().at(-1)?.n ?? 0
    const from = Date.now()
    const entries = await answered(since, measured)
    const cappedMs = Date.now() - from
    capAt(WHOLE)
    const backAfterMs = await whenBack(world, options)
    const served = entries.filter(({ status }) => status === 200)
    return {
      throttledShare: (entries.length - served.length) / Math.max(1, entries.length),
      goodput: served.reduce((sum, entry) => sum + durationOf(entry), 0) / (CAP * cappedMs),
      cappedMs,
      backAfterMs,
      refusedCallers,
    }
  } finally {
    isOver = true
    await load
  }
}

const durationOf = ({ at, finished_at: end }: JournalEntry): number => (end ?? at) - at

async function whenBack(world: World, options: CapOptions): Promise<number | null> {
  const { gauge } = world.simulator.sim
  const from = performance.now()
  const most = await eventually(
    () => gauge.inFlight(options.account),
    (count) => count >= WHOLE - 1,
    { withinMs: options.climbWithinMs, everyMs: 5 },
  )
  return most >= WHOLE - 1 ? Math.round(performance.now() - from) : null
}
