// `kill -9` of the gateway with every slot of an account out: the next one knows that they were, and has them back within
// the lease time and a second.
import { call, countBy, holdStreams } from './callers.ts'
import { mostInFlight, type World } from './world.ts'

export interface KilledOptions {
  readonly account: string
  readonly slots: number
  readonly model: string
  readonly leaseTtlMs: number
}

export interface KilledResult {
  /** From the kill until the next gateway took requests. */
  readonly startedAfterMs: number
  /** From the kill until the first call of those that waited there reached Claude, and the last: one for each slot. */
  readonly firstAfterMs: number
  readonly lastAfterMs: number
  readonly statuses: Readonly<Record<string, number>>
  readonly most: number
}

const SLACK_MS = 10_000

export async function runKilled(world: World, options: KilledOptions): Promise<KilledResult> {
  const { account, slots, model, leaseTtlMs } = options
  world.simulator.sim.gauge.resetMax()
  await holdStreams(world, slots, { fields: { model, stream: true }, fault: 'stall;after=3' })
  const killedAt = await world.kill()
  await world.startAgain()
  const startedAfterMs = Date.now() - killedAt
  const since = world.simulator.journal.list().at(-1)?.n ?? 0
  // Each takes as long as all of them may need to come, so that all slots are out at once.
  const answers = await Promise.all(
    Array.from({ length: slots }, () =>
      call(world, {
        fields: { model },
        fault: 'slow=800',
        headers: [['sluice-max-wait-ms', String(leaseTtlMs + SLACK_MS)]],
      }),
    ),
  )
  const arrivals = world.simulator.journal
    .list({ since, org: account })
    .map(({ at }) => at - killedAt)
    .toSorted((a, b) => a - b)
  return {
    startedAfterMs,
    firstAfterMs: arrivals[0] ?? Infinity,
    lastAfterMs: arrivals[slots - 1] ?? Infinity,
    statuses: countBy(answers, ({ status }) => String(status)),
    most: mostInFlight(world, account),
  }
}
