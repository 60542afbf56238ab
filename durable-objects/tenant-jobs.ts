// One tenant's jobs, as an object: a shell around the core, its store, and the queues that its messages go to. It is
// woken when a message may have been lost, a runner is dead, a deadline is over or a job is to be forgotten.
import { DurableObject } from 'cloudflare:workers'
import type { Part } from '../src/adapters/jobs/job-pieces.ts'
import { JOB_BATCH_SCHEMA, JOB_PACE_SCHEMA, JOB_SCHEMA } from '../src/adapters/jobs/job-sql.ts'
import type { Outbox } from '../src/adapters/jobs/job-journal.ts'
import { JobsHost } from '../src/adapters/jobs/jobs-host.ts'
import type {
  JobsPlace,
  PlacedClaim,
  PlacedFinish,
  PlacedPiece,
  PlacedSubmission,
  UsedIdempotency,
} from '../src/adapters/jobs/jobs-place.ts'
import type { Listed, Page } from '../src/ports/admin.ts'
import type {
  ClaimedBatch,
  DeadFilter,
  JobFilter,
  LaneCounts,
  RunClaim,
  SentBatch,
  StoredJob,
  Submitted,
} from '../src/ports/jobs.ts'
import { sendToQueues } from '../src/adapters/cloudflare/job-queues.ts'
import { migrate, type Migration } from './migrate.ts'

/** Append-only: see migrate.ts. */
export const JOB_MIGRATIONS: readonly Migration[] = [
  { id: 'jobs_001', sql: JOB_SCHEMA },
  { id: 'jobs_002', sql: JOB_PACE_SCHEMA },
  { id: 'jobs_003', sql: JOB_BATCH_SCHEMA },
]

// An object holds one tenant's jobs; the store can hold many.
const OWN = ''

export class TenantJobs extends DurableObject<Env> implements JobsPlace {
  readonly #host: JobsHost
  #alarmAt = Infinity
  /** Operators' lists ask the objects of those tenants that D1 names. */
  #isListed = false
  #listing: Promise<void> | null = null

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    const { storage } = ctx
    migrate(storage, JOB_MIGRATIONS)
    this.#host = new JobsHost({
      tenant: OWN,
      sql: {
        all: (query, ...values) => storage.sql.exec(query, ...values.map(toSql)).toArray(),
      },
      transact: (work) => storage.transactionSync(work),
      now: () => Date.now(),
      newId: () => crypto.randomUUID(),
      send: (outbox) => this.#send(outbox),
      wakeAt: (at) => this.#wakeAt(at),
    })
  }

  begin(id: string, idempotency: UsedIdempotency | null): Submitted | null {
    return this.#host.begin(id, idempotency)
  }

  putPiece(piece: PlacedPiece): void {
    this.#host.putPiece(piece)
  }

  submit(submission: PlacedSubmission): Submitted {
    const submitted = this.#host.submit(submission)
    this.#list(submission.facts.tenant)
    return submitted
  }

  look(id: string): StoredJob | null {
    return this.#host.look(id)
  }

  list(filter: JobFilter, page: Page): Listed<StoredJob> {
    return this.#host.list(filter, page)
  }

  readPiece(id: string, part: Part, number: number): Uint8Array | null {
    return this.#host.readPiece(id, part, number)
  }

  cancel(id: string): StoredJob | null {
    return this.#host.cancel(id)
  }

  claim(id: string, claim: RunClaim): PlacedClaim {
    return this.#host.claim(id, claim)
  }

  hold(id: string, claim: RunClaim): Promise<boolean> {
    return this.#host.hold(id, claim)
  }

  finish(id: string, finish: PlacedFinish): StoredJob | null {
    return this.#host.finish(id, finish)
  }

  claimBatch(id: string, claim: RunClaim): ClaimedBatch | null {
    return this.#host.claimBatch(id, claim)
  }

  sentBatch(id: string, token: string, sent: SentBatch): void {
    this.#host.sentBatch(id, token, sent)
  }

  waitForBatch(id: string, token: string): void {
    this.#host.waitForBatch(id, token)
  }

  endBatch(id: string, token: string): void {
    this.#host.endBatch(id, token)
  }

  told(id: string, round: number): void {
    this.#host.told(id, round)
  }

  counts(): readonly LaneCounts[] {
    return this.#host.counts()
  }

  listDead(filter: DeadFilter, page: Page): Listed<StoredJob> {
    return this.#host.listDead(filter, page)
  }

  redrive(ids: readonly string[]): readonly string[] {
    return this.#host.redrive(ids)
  }

  purge(ids: readonly string[]): readonly string[] {
    return this.#host.purge(ids)
  }

  override async alarm(): Promise<void> {
    this.#alarmAt = Infinity
    this.#host.tick()
    await this.#listing
  }

  /** What cannot be sent is sent later: each message has its time, after which it counts as lost. */
  #send(outbox: Outbox): void {
    const sent = sendToQueues(this.env, outbox).catch((error: unknown) =>
      tell('job_messages_not_sent', error),
    )
    this.ctx.waitUntil(sent)
    for (const [{ tenant } = { tenant: null }] of outbox.values()) {
      if (tenant !== null) this.#list(tenant)
    }
  }

  #wakeAt(at: number | null): void {
    if (at === null || at >= this.#alarmAt) return
    this.#alarmAt = at
    // Not awaited: the output gate holds every answer until it is set, and a failure resets the object.
    void this.ctx.storage.setAlarm(Math.max(at, Date.now()))
  }

  /** Tried again with what happens next where D1 is down. */
  #list(tenant: string): void {
    if (this.#isListed || this.#listing !== null) return
    this.#listing = this.env.DB.prepare('INSERT OR IGNORE INTO job_tenants (tenant) VALUES (?1)')
      .bind(tenant)
      .run()
      .then(
        () => {
          this.#isListed = true
        },
        (error: unknown) => tell('job_tenant_not_listed', error),
      )
      .finally(() => {
        this.#listing = null
      })
    this.ctx.waitUntil(this.#listing)
  }
}

const toSql = (value: string | number | null | Uint8Array): SqlStorageValue =>
  value instanceof Uint8Array ? value.slice().buffer : value

const tell = (event: string, error: unknown): void =>
  console.error(JSON.stringify({ event, error: String(error) }))
