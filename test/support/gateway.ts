// The whole gateway for a test, with a Claude simulator and a Redis in this process: its own by
// `startTestGateway`, or the one that all end-to-end tests share by `sharedGateway`.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import type { TierName } from '../../tools/dev/state.ts'
import { type RedisBridge, startRedisBridge } from '../../tools/redis/server.ts'
import {
  type RunningSimulator,
  type SimulatorOptions,
  startSimulator,
} from '../../tools/simulator/server.ts'
import { startDev } from './gateway-process.ts'

const MOST_KEPT_BODY_BYTES = 256 * 1024

/** What a test needs to know of a running gateway; plain data, so that it passes between processes. */
export interface GatewayAddress {
  readonly url: string
  readonly adminToken: string
  readonly keys: Readonly<Record<TierName, string>>
  readonly simulatorUrl: string
  readonly redisUrl: string
  readonly redisToken: string
}

export interface TestGateway extends GatewayAddress {
  readonly simulator: RunningSimulator
  readonly redis: RedisBridge
  readonly pids: readonly number[]
  readonly dir: string
  readonly stdout: () => string
  readonly stderr: () => string
  readonly stop: () => Promise<void>
}

export interface TestGatewayOptions {
  /** Settings of the contract, section 2, by name. */
  readonly settings?: Readonly<Record<string, string | number>>
  readonly simulator?: SimulatorOptions
  /** True: started as people start it, so that its log is in `stdout` and `stderr`, after the welcome. */
  readonly logs?: boolean
}

declare module 'vitest' {
  interface ProvidedContext {
    gateway: GatewayAddress
  }
}

export const sharedGateway = (): GatewayAddress => inject('gateway')

export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-e2e-'))
  const stops: (() => Promise<unknown> | void)[] = [
    () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }),
  ]
  const stop = async (): Promise<void> => {
    for (const end of stops.splice(0).toReversed()) await end()
  }
  try {
    const simulator = await startSimulator({
      keepBodyBytes: MOST_KEPT_BODY_BYTES,
      ...options.simulator,
    })
    stops.push(() => simulator.close())
    const redis = await startRedisBridge({ faults: true })
    stops.push(() => redis.close())
    const settings = Object.entries(options.settings ?? {}).map(([name, value]) => [
      name,
      String(value),
    ])
    const dev = await startDev({
      dir,
      json: options.logs !== true,
      env: {
        ANTHROPIC_BASE_URL: simulator.url,
        UPSTASH_REDIS_REST_URL: redis.url,
        UPSTASH_REDIS_REST_TOKEN: redis.token,
        ...(Object.fromEntries(settings) as Record<string, string>),
      },
    })
    stops.push(() => dev.stop())
    const { ready } = dev
    return {
      url: ready.url,
      adminToken: ready.admin_token,
      keys: ready.keys,
      simulatorUrl: simulator.url,
      redisUrl: redis.url,
      redisToken: redis.token,
      simulator,
      redis,
      pids: ready.pids,
      dir,
      stdout: dev.stdout,
      stderr: dev.stderr,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
