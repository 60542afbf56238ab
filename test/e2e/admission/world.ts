// A gateway, its Claude and its Redis for the torture of admission. Claude's side outlives the gateway, so that the
// gateway can be killed and started again while Claude's own count of calls goes on.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive } from '../../../tools/dev/processes.ts'
import type { ReadyLine } from '../../../tools/dev/state.ts'
import { startRedisBridge } from '../../../tools/redis/server.ts'
import { type RunningSimulator, startSimulator } from '../../../tools/simulator/server.ts'
import { accountList, type TestAccount } from '../../support/accounts.ts'
import { eventually } from '../../support/eventually.ts'
import { type DevProcess, startDev } from '../../support/gateway-process.ts'

export interface World {
  readonly simulator: RunningSimulator
  readonly dir: string
  /** Where the gateway answers now: a killed one comes back on another port. */
  gateway(): ReadyLine
  /** `kill -9` of all its processes; resolves once all are gone, with the moment of the kill in epoch ms. */
  kill(): Promise<number>
  startAgain(): Promise<void>
  stop(): Promise<void>
}

export interface WorldOptions {
  readonly accounts: readonly TestAccount[]
  readonly settings: Readonly<Record<string, string | number>>
}

export async function startWorld({ accounts, settings }: WorldOptions): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-torture-'))
  const simulator = await startSimulator({ hashBodies: false, journalSize: 100_000 })
  const redis = await startRedisBridge()
  const env = {
    ANTHROPIC_BASE_URL: simulator.url,
    ANTHROPIC_ACCOUNTS: accountList(...accounts),
    UPSTASH_REDIS_REST_URL: redis.url,
    UPSTASH_REDIS_REST_TOKEN: redis.token,
    ...textOf(settings),
  }
  let dev: DevProcess
  const stop = async (): Promise<void> => {
    await dev?.stop()
    await Promise.all([redis.close(), simulator.close()])
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
  const start = async (): Promise<void> => {
    dev = await startDev({ dir, env })
  }
  try {
    await start()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    simulator,
    dir,
    gateway: () => dev.ready,
    kill: async () => {
      const killedAt = Date.now()
      for (const pid of dev.ready.pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
      await dev.stop('SIGKILL')
      await eventually(
        () => dev.ready.pids.filter(isAlive).length,
        (count) => count === 0,
        { withinMs: 3_000 },
      )
      return killedAt
    },
    startAgain: start,
    stop,
  }
}

const textOf = (settings: WorldOptions['settings']): Record<string, string> =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]))

/** Claude's own count: the most calls that an account has had open at once. */
export function mostInFlight({ simulator }: World, account: string): number {
  const { orgs } = simulator.sim.gauge.view() as {
    orgs: Record<string, { max_in_flight: number } | undefined>
  }
  return orgs[account]?.max_in_flight ?? 0
}
