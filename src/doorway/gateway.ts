// The gateway in one process, for the runtimes without Cloudflare's platform: gates in memory, keys and usage in
// SQLite, request limits in Redis as everywhere. One process only: two would each grant an account's whole limit.
import { createApp } from '../app.ts'
import { anthropicUpstream } from '../adapters/anthropic/upstream.ts'
import { memoryAccountGates } from '../adapters/memory/account-gates.ts'
import type { SqliteDatabase } from '../adapters/sqlite/database.ts'
import { sqliteKeyStore } from '../adapters/sqlite/key-store.ts'
import { SqliteUsage } from '../adapters/sqlite/usage-store.ts'
import { upstashRequestLimits } from '../adapters/upstash/request-limits.ts'
import type { Config } from '../config.ts'
import type { LogLine } from '../ports.ts'
import { Deferred } from './deferred.ts'

export interface ProcessGateway {
  readonly fetch: (request: Request) => Response | Promise<Response>
  /** Resolves once the work after the answers is done; false: it was not within the time. */
  settled(withinMs: number): Promise<boolean>
  /** Writes the usage that has gathered, and ends the timers. */
  close(): void
}

export interface ProcessGatewayOptions {
  readonly config: Config
  /** Migrated. */
  readonly db: SqliteDatabase
  readonly log: (line: LogLine) => void
}

export function openGateway({ config, db, log }: ProcessGatewayOptions): ProcessGateway {
  const usage = new SqliteUsage(db, { log })
  const gates = memoryAccountGates(config.gate, {
    now: Date.now,
    random: Math.random,
    keepUsage: (_, record) => usage.keep(record),
  })
  const app = createApp({
    config,
    accounts: config.accounts,
    keys: sqliteKeyStore(db),
    gates,
    limits: upstashRequestLimits({ redis: config.redis, now: Date.now, log }),
    usage,
    upstream: anthropicUpstream(),
    now: Date.now,
    random: Math.random,
    log,
  })
  const deferred = new Deferred((error) => log({ event: 'deferred_failed', error: String(error) }))
  const context = {
    waitUntil: (work: Promise<unknown>) => deferred.add(work),
    passThroughOnException: () => {},
    props: {},
  }
  return {
    fetch: (request) => app.fetch(request, {}, context),
    settled: (withinMs) => isWithin(deferred.settled(), withinMs),
    close: () => {
      gates.stop()
      usage.flush()
    },
  }
}

async function isWithin(work: Promise<void>, withinMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), withinMs)
  })
  const done = await Promise.race([work.then(() => true as const), late])
  clearTimeout(timer)
  return done
}
