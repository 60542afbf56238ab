// Jobs and their runner in this process, with gates in memory and a Claude that the test plays: for what no network and no
// other process should blur.
import { DatabaseSync } from 'node:sqlite'
import { memoryAccountGates } from '../../src/adapters/memory/account-gates.ts'
import { memoryKeyStore } from '../../src/adapters/memory/key-store.ts'
import { memoryLedgers } from '../../src/adapters/memory/ledgers.ts'
import { memoryRequestLimits } from '../../src/adapters/memory/request-limits.ts'
import { sqliteJobs } from '../../src/adapters/sqlite/jobs.ts'
import { parseConfig } from '../../src/config.ts'
import type { Tier } from '../../src/core/money/tier.ts'
import { createJobRunner, type JobRunner } from '../../src/flows/jobs/run-job.ts'
import type { AccountGates, LogLine, Services, StoredKey, UpstreamCall } from '../../src/ports.ts'
import type { JobRuns, StoredJob } from '../../src/ports/jobs.ts'
import { callerWith } from './callers.ts'
import { eventually } from './eventually.ts'
import { submission, type SubmissionChange } from './jobs.ts'

export interface JobWorldOptions {
  readonly settings?: Readonly<Record<string, string | number>>
  readonly tier?: Partial<Tier>
  readonly key?: Partial<StoredKey>
  /** Plays Claude: the nth call counts from 1. */
  readonly answer: (
    nth: number,
    signal: AbortSignal,
    call: UpstreamCall,
  ) => Response | Promise<Response>
  /** Stands before the place of the jobs. */
  readonly runs?: (runs: JobRuns) => JobRuns
  readonly findKey?: () => Promise<StoredKey | null>
}

export interface JobWorld {
  readonly gates: AccountGates
  readonly services: Services
  readonly told: string[]
  readonly logs: LogLine[]
  calls(): number
  take(change?: SubmissionChange): Promise<string>
  cancel(id: string): Promise<unknown>
  job(id: string): Promise<StoredJob['job']>
  until(id: string, passes: (job: StoredJob['job']) => boolean): Promise<StoredJob['job']>
  /** Moves the clock of the flows. */
  later(ms: number): void
  stop(): Promise<void>
}

const ACCOUNT = { id: 'alpha', api_key: 'sk-ant-sim-a', max_concurrent: 1, min_concurrent: 1 }
const BODY = JSON.stringify({
  model: 'claude-sonnet-5-5',
  max_tokens: 64,
  messages: [{ role: 'user', content: 'Hi' }],
})

export function jobWorld(options: JobWorldOptions): JobWorld {
  const config = parseConfig({
    ANTHROPIC_ACCOUNTS: JSON.stringify([ACCOUNT]),
    ADMIN_TOKEN: 'a'.repeat(32),
    KEY_PEPPER: 'p'.repeat(32),
    SLUICE_JOB_BACKOFF_SECONDS: '0',
    SLUICE_QUEUE_WAIT_MS: 1_000,
    ...options.settings,
  })
  let skewMs = 0
  let calls = 0
  const now = (): number => Date.now() + skewMs
  const told: string[] = []
  const logs: LogLine[] = []
  const gates = memoryAccountGates(config.gate, { now: Date.now, random: Math.random })
  const stored: StoredKey = {
    ...callerWith({ requestsPerMinute: null, requestsPerHour: null, ...options.tier }),
    secretHash: 'x',
    disabled: false,
    tenantDisabled: false,
    former: null,
    expiresAt: null,
    ...options.key,
  }
  const keys = memoryKeyStore([stored])
  let run: JobRunner = () => Promise.resolve()
  const db = new DatabaseSync(':memory:')
  const jobs = sqliteJobs(db, { now: Date.now, run: (message) => run(message) })
  const known: Partial<Services> = {
    config,
    accounts: { usable: () => config.accounts, refresh: async () => {} },
    keys: { ...keys, findKey: options.findKey ?? ((id) => keys.findKey(id)) },
    gates,
    ledgers: memoryLedgers({ now: Date.now }),
    limits: memoryRequestLimits({ now: Date.now }),
    jobs,
    jobRuns: options.runs?.(jobs) ?? jobs,
    jobBatches: jobs,
    webhooks: {
      tell: async ({ type }) => void told.push(type),
      jobEnded: async ({ id, status }) => void told.push(`${id} ${status}`),
      deliveryOfJob: async () => null,
      redeliver: async () => false,
    } as Services['webhooks'],
    upstream: {
      send: async (_, call) => {
        calls += 1
        return answered(Promise.resolve(options.answer(calls, call.signal, call)), call.signal)
      },
      reach: async () => {},
    },
    now,
    random: Math.random,
    log: (line) => void logs.push(line),
  }
  const services = known as Services
  run = createJobRunner(services)
  const job = async (id: string) => {
    const found = await jobs.find('acme', id)
    if (found === null) throw new Error(`There is no job ${id}`)
    return found.job
  }
  return {
    gates,
    services,
    told,
    logs,
    calls: () => calls,
    async take(change = {}) {
      const asked = submission({ request: new TextEncoder().encode(BODY), ...change })
      await jobs.submit(asked)
      return asked.job.id
    },
    cancel: (id) => jobs.cancel('acme', id),
    job,
    until: (id, passes) => eventually(() => job(id), passes, { withinMs: 8_000, everyMs: 10 }),
    later: (ms) => {
      skewMs += ms
    },
    async stop() {
      jobs.stop()
      gates.stop()
      await jobs.settled()
      db.close()
    },
  }
}

/** An abort ends what is waited for, as it does with `fetch`. */
const answered = (answer: Promise<Response>, signal: AbortSignal): Promise<Response> =>
  Promise.race([
    answer,
    new Promise<never>((_, reject) =>
      signal.addEventListener('abort', () => reject(new Error('The call was aborted'))),
    ),
  ])
