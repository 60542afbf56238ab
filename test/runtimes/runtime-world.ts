// What a gateway on Bun or Deno needs around it: a Claude simulator, a Redis, a database with one key a tier.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeKey, storeInFile } from '../../tools/deploy/store-key.ts'
import { type RedisBridge, startRedisBridge } from '../../tools/redis/server.ts'
import { type RunningSimulator, startSimulator } from '../../tools/simulator/server.ts'

const PEPPER = 'pepper-of-the-runtime-tests-0123456789'
const TIERS = ['free', 'premium', 'enterprise'] as const
export const PAGE = 'https://app.acme.test'

export interface RuntimeWorld {
  readonly simulator: RunningSimulator
  readonly redis: RedisBridge
  readonly database: string
  readonly keys: Readonly<Record<(typeof TIERS)[number], string>>
  /** Of the gateway, all that it needs. */
  readonly settings: Readonly<Record<string, string>>
  /** A key of a tenant of its own, in the same database. */
  newKey(tenant: string): Promise<string>
  close(): Promise<void>
}

export async function openRuntimeWorld(): Promise<RuntimeWorld> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-runtime-'))
  const database = join(dir, 'made-on-the-way', 'sluice.db')
  const [simulator, redis] = await Promise.all([startSimulator(), startRedisBridge()])
  const newKey = async (tenant: string, tier: string): Promise<string> => {
    const about = { tenant, tenantName: tenant, tier, keyName: 'test', origins: [PAGE] }
    const { text, row } = await makeKey(about, PEPPER)
    storeInFile(database, row)
    return text
  }
  return {
    simulator,
    redis,
    database,
    keys: {
      free: await newKey('t-free', 'free'),
      premium: await newKey('t-premium', 'premium'),
      enterprise: await newKey('t-enterprise', 'enterprise'),
    },
    settings: {
      ANTHROPIC_API_KEY: 'sk-ant-sim-runtimes',
      ANTHROPIC_BASE_URL: simulator.url,
      UPSTASH_REDIS_REST_URL: redis.url,
      UPSTASH_REDIS_REST_TOKEN: redis.token,
      ADMIN_TOKEN: 'admin-token-of-the-runtime-tests-0123456789',
      KEY_PEPPER: PEPPER,
      // A busy machine must not make the count of Redis a count of the process.
      SLUICE_REDIS_TIMEOUT_MS: '5000',
    },
    newKey: (tenant) => newKey(tenant, 'enterprise'),
    close: async () => {
      await Promise.all([simulator.close(), redis.close()])
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
