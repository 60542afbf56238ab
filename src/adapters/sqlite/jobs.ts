// The jobs of every tenant in one SQLite file, for the runtimes without objects and queues: the same shell around the
// same core, and queues in memory, since a message that is lost is sent again.
import type { JobBatchRuns, JobDesk, JobMessage, JobRuns, Jobs } from '../../ports/jobs.ts'
import type { LogLine } from '../../ports.ts'
import { mergeDead, sumLanes } from '../jobs/dead-letters.ts'
import { JOB_SCHEMAS, type JobSql } from '../jobs/job-sql.ts'
import { JobsHost } from '../jobs/jobs-host.ts'
import { jobsOver } from '../jobs/jobs-over.ts'
import { LaneWorkers } from '../memory/lane-workers.ts'
import { type SqliteDatabase, type SqliteStatement, transact } from './database.ts'

export interface SqliteJobsOptions {
  readonly now: () => number
  readonly log?: (line: LogLine) => void
  /** Runs what a message is about. */
  readonly run: (message: JobMessage) => Promise<void>
}

export interface SqliteJobs extends Jobs, JobRuns, JobBatchRuns, JobDesk {
  /** From now on nothing is begun. */
  stop(): void
  /** Resolves once nothing runs. */
  settled(): Promise<void>
}

/** A machine may sleep, and its clock may be set. */
const LONGEST_TIMER_MS = 30_000

export function sqliteJobs(db: SqliteDatabase, options: SqliteJobsOptions): SqliteJobs {
  const { now, run, log = () => {} } = options
  for (const schema of JOB_SCHEMAS) db.exec(schema)
  const sql = sqlOf(db)
  const workers = new LaneWorkers<JobMessage>(run, (error) =>
    log({ event: 'job_run_failed', error: String(error) }),
  )
  const hosts = new Map<string, JobsHost>()
  const alarms = new Map<string, ReturnType<typeof setTimeout>>()
  let isStopped = false

  const setAlarm = (tenant: string, at: number | null): void => {
    clearTimeout(alarms.get(tenant))
    alarms.delete(tenant)
    if (at === null || isStopped) return
    const delayMs = Math.min(Math.max(0, at - now()), LONGEST_TIMER_MS)
    const ring = (): void => {
      alarms.delete(tenant)
      hostOf(tenant).tick()
    }
    alarms.set(tenant, setTimeout(ring, delayMs))
  }
  const hostOf = (tenant: string): JobsHost => {
    const known = hosts.get(tenant)
    if (known !== undefined) return known
    const host = new JobsHost({
      tenant,
      sql,
      now,
      newId: () => crypto.randomUUID(),
      transact: (work) => transact(db, work),
      send: (outbox) => {
        for (const [lane, messages] of outbox) workers.add(lane, messages)
      },
      wakeAt: (at) => setAlarm(tenant, at),
    })
    hosts.set(tenant, host)
    return host
  }
  const everyTenant = (): readonly string[] =>
    (sql.all('SELECT DISTINCT tenant FROM jobs ORDER BY tenant') as { tenant: string }[]).map(
      ({ tenant }) => tenant,
    )
  // What was under way when the last process ended.
  const left = everyTenant()
  const first = setTimeout(() => left.forEach((tenant) => hostOf(tenant).tick()), 0)
  return {
    ...jobsOver(hostOf),
    counts: async () => sumLanes(everyTenant().map((tenant) => hostOf(tenant).counts())),
    async listDead(filter, page) {
      const tenants = filter.tenant === null ? everyTenant() : [filter.tenant]
      return mergeDead(
        tenants.map((tenant) => hostOf(tenant).listDead(filter, page)),
        page,
      )
    },
    redrive: async (tenant, ids) => hostOf(tenant).redrive(ids),
    purge: async (tenant, ids) => hostOf(tenant).purge(ids),
    stop() {
      isStopped = true
      clearTimeout(first)
      for (const alarm of alarms.values()) clearTimeout(alarm)
      workers.stop()
    },
    async settled() {
      await workers.settled()
      for (const host of hosts.values()) host.stop()
    },
  }
}

/** Queries are few and fixed: each is prepared once. */
function sqlOf(db: SqliteDatabase): JobSql {
  const prepared = new Map<string, SqliteStatement>()
  return {
    all: (query, ...values) => {
      const statement = prepared.get(query) ?? db.prepare(query)
      prepared.set(query, statement)
      return statement.all(...values)
    },
  }
}
