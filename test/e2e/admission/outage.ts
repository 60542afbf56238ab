// Three accounts down at once: callers are told so and when to come back, Claude is not hammered, and all of it passes when
// the outage does.
import { eventually } from '../../support/eventually.ts'
import { type Answered, call, countBy, keepAsking, pause } from './callers.ts'
import type { World } from './world.ts'

export interface OutageOptions {
  readonly accounts: readonly string[]
  readonly model: string
  readonly keys: readonly string[]
  readonly callers: number
  /** How long a caller thinks between two calls. */
  readonly everyMs: number
  readonly beforeMs: number
  readonly outageMs: number
  readonly recoversWithinMs: number
}

export interface OutageResult {
  readonly callersCalls: number
  /** Claude's calls for each call of a caller in the second half of the outage. */
  readonly upstreamRatio: number
  /** Refusals without a reason, or with x-should-retry and no time. */
  readonly unexplained: number
  readonly told: Readonly<Record<string, number>>
  /** From the outage's end until ten calls in a row were served; null: not within the bound. */
  readonly recoveredAfterMs: number | null
}

const IN_A_ROW = 10

export async function runOutage(world: World, options: OutageOptions): Promise<OutageResult> {
  const { accounts, model, keys, callers, everyMs } = options
  const { sim, journal } = world.simulator
  const answers: Answered[] = []
  let isOver = false
  const load = keepAsking(
    callers,
    () => isOver,
    async (caller) => {
      answers.push(await call(world, { key: keys[caller % keys.length] ?? '', fields: { model } }))
      await pause(everyMs)
    },
  )
  try {
    await pause(options.beforeMs)
    const rules = accounts.map((org) => sim.rules.add({ match: { org }, fault: '529' }))
    const downAt = Date.now()
    await pause(options.outageMs / 2)
    const steadyAt = Date.now()
    await pause(options.outageMs / 2)
    const upAt = Date.now()
    for (const { id } of rules) sim.rules.remove(String(id))
    const recoveredAfterMs = await whenServed(answers, upAt, options.recoversWithinMs)
    const during = answers.filter(({ endedAt }) => endedAt >= downAt && endedAt < upAt)
    const steady = during.filter(({ endedAt }) => endedAt >= steadyAt)
    const upstream = journal
      .list()
      .filter(
        ({ org, at }) => org !== null && accounts.includes(org) && at >= steadyAt && at < upAt,
      )
    const failed = during.filter(({ status }) => status !== 200)
    return {
      callersCalls: during.length,
      upstreamRatio: upstream.length / Math.max(1, steady.length),
      unexplained: failed.filter((answer) => !isExplained(answer)).length,
      told: countBy(failed, ({ status, reason }) => `${status} ${reason ?? ''}`.trim()),
      recoveredAfterMs,
    }
  } finally {
    isOver = true
    await load
  }
}

const isExplained = ({ status, reason, retryAfter }: Answered): boolean =>
  reason !== undefined && (status === 529 || Number(retryAfter) >= 1)

async function whenServed(
  answers: readonly Answered[],
  from: number,
  withinMs: number,
): Promise<number | null> {
  const firstOfRun = await eventually(
    () => {
      const run = answers.filter(({ endedAt }) => endedAt >= from).slice(-IN_A_ROW)
      const isHealthy = run.length === IN_A_ROW && run.every(({ status }) => status === 200)
      return isHealthy ? (run[0]?.endedAt ?? null) : null
    },
    (at) => at !== null,
    { withinMs },
  )
  return firstOfRun === null ? null : firstOfRun - from
}
