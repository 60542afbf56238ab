// How a tenant's jobs change: one event at a time, within one transaction with all that has become due meanwhile; then the
// messages that follow from it are sent, and the next moment is asked for.
import type { Lane } from '../../core/admission/admission.ts'
import { isOpen, type Job } from '../../core/jobs/job.ts'
import { isGathering, noticed } from '../../core/jobs/machine.ts'
import { refusedAt } from '../../core/jobs/pace.ts'
import type { JobMessage, StoredJob } from '../../ports/jobs.ts'
import { catchUp } from './catch-up.ts'
import { JobBatches } from './job-batches.ts'
import { JobKeys } from './job-keys.ts'
import { JobPieces } from './job-pieces.ts'
import { type JobSql, tenantRows, type TenantRows } from './job-sql.ts'
import { JobStore } from './job-store.ts'
import { LanePaces } from './lane-paces.ts'
import { RunWaits } from './run-waits.ts'

export type Outbox = ReadonlyMap<Lane, readonly JobMessage[]>

export interface JobJournalOptions {
  readonly tenant: string
  readonly sql: JobSql
  /** All of it or nothing. */
  readonly transact: (work: () => void) => void
  readonly now: () => number
  /** Another each time. */
  readonly newId: () => string
  /** For these jobs a message is to be sent: it may get lost. */
  readonly send: (outbox: Outbox) => void
  /** Calls `tick` at this moment, whatever comes before. */
  readonly wakeAt: (at: number | null) => void
}

export class JobJournal {
  readonly rows: TenantRows
  readonly store: JobStore
  readonly pieces: JobPieces
  readonly keys: JobKeys
  readonly batches: JobBatches
  readonly waits = new RunWaits()
  readonly #options: JobJournalOptions
  readonly #paces: LanePaces

  constructor(options: JobJournalOptions) {
    this.#options = options
    this.rows = tenantRows(options.sql, options.tenant)
    this.store = new JobStore(this.rows)
    this.pieces = new JobPieces(this.rows)
    this.keys = new JobKeys(this.rows)
    this.batches = new JobBatches(this.rows)
    this.#paces = new LanePaces(this.rows)
  }

  now(): number {
    return this.#options.now()
  }

  /** How its run ended says something of its lane. */
  pace(lane: Lane, isRefused: boolean, now: number): void {
    if (isRefused) this.#paces.keep(lane, refusedAt(this.#paces.of(lane), now))
    else this.#paces.clear(lane)
  }

  turn(id: string, event: (job: Job) => Job, now: number): StoredJob | null {
    const stored = this.store.find(id)
    return stored === null ? null : this.keep(stored, event(stored.job), now)
  }

  keep(before: StoredJob, job: Job, now: number): StoredJob {
    if (job === before.job) return before
    const hasEnded = isOpen(before.job) && !isOpen(job)
    // Whoever ended it tells it in a moment; if not, a message comes.
    const turned = { ...before, job: hasEnded ? noticed(job, now) : job }
    this.store.save(turned)
    if (isGathering(before.job) && !isGathering(job)) this.batches.release(job.id)
    if (hasEnded) this.store.countRate(job.lane, 0, 1, now)
    if (hasEnded && !job.isDead) this.pieces.dropPart(job.id, 'request')
    if (before.job.run !== null && job.run === null) this.waits.wake(job.id)
    return turned
  }

  change<T>(event: (now: number) => T): T {
    const { transact, now, send, wakeAt } = this.#options
    const at = now()
    let outbox: Outbox = new Map()
    const done: { value: T }[] = []
    transact(() => {
      done.push({ value: event(at) })
      outbox = catchUp(
        {
          store: this.store,
          pieces: this.pieces,
          keys: this.keys,
          paces: this.#paces,
          batches: this.batches,
          newId: this.#options.newId,
          keep: (stored, job) => this.keep(stored, job, at),
        },
        at,
      )
    })
    if (outbox.size > 0) send(outbox)
    const moments = [
      this.store.nextWakeAt(at),
      this.#paces.nextWakeAt(at),
      this.batches.nextWakeAt(),
    ]
    const due = moments.filter((moment) => moment !== null)
    wakeAt(due.length === 0 ? null : Math.min(...due))
    const [first] = done
    if (first === undefined) throw new RangeError('Cannot go on: nothing was decided')
    return first.value
  }
}
