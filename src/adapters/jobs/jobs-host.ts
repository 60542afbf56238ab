// The shell around one tenant's jobs, the same in an object and in a process: it asks the core, has written what changed,
// and says which messages are to be sent. All is decided and written in one step, so nothing interleaves.
import type { Lane } from '../../core/admission/admission.ts'
import { isOpen, type Job } from '../../core/jobs/job.ts'
import {
  advance,
  cancel,
  claim,
  finish,
  newJob,
  noticed,
  redrive,
  renew,
  told,
} from '../../core/jobs/machine.ts'
import type { Listed, Page } from '../../ports/admin.ts'
import type {
  DeadFilter,
  JobFilter,
  JobMessage,
  LaneCounts,
  RunClaim,
  StoredJob,
  Submitted,
  TakenJob,
} from '../../ports/jobs.ts'
import { countLanes, listDead } from './dead-letters.ts'
import { JobKeys } from './job-keys.ts'
import { JobPieces, type Part } from './job-pieces.ts'
import { type JobSql, tenantRows, type TenantRows } from './job-sql.ts'
import { JobStore } from './job-store.ts'
import type {
  JobsPlace,
  PlacedClaim,
  PlacedFinish,
  PlacedPiece,
  PlacedSubmission,
  UsedIdempotency,
} from './jobs-place.ts'
import { catchUp } from './catch-up.ts'
import { RunWaits } from './run-waits.ts'

export type Outbox = ReadonlyMap<Lane, readonly JobMessage[]>

export interface JobsHostOptions {
  readonly tenant: string
  readonly sql: JobSql
  /** All of it or nothing. */
  readonly transact: (work: () => void) => void
  readonly now: () => number
  /** For these jobs a message is to be sent: it may get lost. */
  readonly send: (outbox: Outbox) => void
  /** Calls `tick` at this moment, whatever comes before. */
  readonly wakeAt: (at: number | null) => void
}

const KEY_LIFE_MS = 86_400_000
/** What a large request takes to arrive; nobody waits longer for its sender. */
const UPLOAD_LIFE_MS = 300_000
const COUNTED_PLACES = 1_000

export class JobsHost implements JobsPlace {
  readonly #options: JobsHostOptions
  readonly #rows: TenantRows
  readonly #store: JobStore
  readonly #pieces: JobPieces
  readonly #keys: JobKeys
  readonly #waits = new RunWaits()

  constructor(options: JobsHostOptions) {
    this.#options = options
    this.#rows = tenantRows(options.sql, options.tenant)
    this.#store = new JobStore(this.#rows)
    this.#pieces = new JobPieces(this.#rows)
    this.#keys = new JobKeys(this.#rows)
  }

  /** What time alone does: to be called at the moment that was asked for. */
  tick(): void {
    this.#change(() => {})
  }

  stop(): void {
    this.#waits.stop()
  }

  begin(id: string, idempotency: UsedIdempotency | null): Submitted | null {
    return this.#change((now) => {
      const before = this.#keys.answerBefore(idempotency, id, now)
      if (before !== null) return before
      this.#pieces.expectJob(id, now + UPLOAD_LIFE_MS)
      this.#keys.keep(idempotency, { by: id, taken: null }, now + UPLOAD_LIFE_MS)
      return null
    })
  }

  putPiece({ id, part, number, bytes }: PlacedPiece): void {
    this.#pieces.put(id, part, number, bytes)
  }

  submit({ job: asked, facts, pieces, first, idempotency }: PlacedSubmission): Submitted {
    return this.#change((now) => {
      const before = this.#keys.answerBefore(idempotency, asked.id, now)
      if (before !== null) return before
      if (pieces > 1 && !this.#pieces.isExpected(asked.id)) {
        throw new RangeError('Cannot take a job whose first pieces were forgotten')
      }
      const job = newJob(asked, now)
      const waiting = this.#store.countQueued(job.lane, COUNTED_PLACES)
      this.#pieces.put(job.id, 'request', 0, first)
      this.#pieces.jobCame(job.id)
      this.#store.save({ job, facts, requestPieces: pieces, resultPieces: 0 })
      this.#store.countRate(job.lane, 1, 0, now)
      const taken: TakenJob = {
        id: job.id,
        lane: job.lane,
        mode: job.mode,
        createdAt: now,
        place: waiting < COUNTED_PLACES ? waiting + 1 : null,
      }
      this.#keys.keep(idempotency, { by: job.id, taken }, now + KEY_LIFE_MS)
      return { kind: 'taken', taken }
    })
  }

  /** As it is now, whatever its time has done to it meanwhile. */
  look(id: string): StoredJob | null {
    const stored = this.#store.find(id)
    const now = this.#options.now()
    if (stored === null || (stored.job.removeAt ?? Infinity) <= now) return null
    return { ...stored, job: advance(stored.job, now) }
  }

  list(filter: JobFilter, page: Page): Listed<StoredJob> {
    return this.#store.list(filter, page)
  }

  readPiece(id: string, part: Part, number: number): Uint8Array | null {
    return this.#pieces.read(id, part, number)
  }

  cancel(id: string): StoredJob | null {
    return this.#change((now) => this.#turn(id, (job) => cancel(job, now), now))
  }

  claim(id: string, asked: RunClaim): PlacedClaim {
    return this.#change((now): PlacedClaim => {
      const stored = this.#store.find(id)
      if (stored === null) return { kind: 'nothing' }
      const [job, answer] = claim(stored.job, asked, now)
      const turned = this.#keep(stored, job, now)
      if (answer.kind === 'tell') return { kind: 'tell', stored: turned }
      if (answer.kind === 'nothing') return answer
      const first = this.#pieces.read(id, 'request', 0)
      if (first === null) throw new RangeError('Cannot run a job without its request')
      return { kind: 'run', stored: turned, attempt: answer.attempt, first }
    })
  }

  async hold(id: string, asked: RunClaim): Promise<boolean> {
    const mayGoOn = (): boolean =>
      this.#change((now) => {
        const stored = this.#store.find(id)
        if (stored === null) return false
        const [job, goes] = renew(stored.job, asked, now)
        this.#keep(stored, job, now)
        return goes
      })
    if (!mayGoOn()) return false
    await this.#waits.wait(id, asked.leaseMs / 3)
    return mayGoOn()
  }

  finish(id: string, { token, end, pieces, first }: PlacedFinish): StoredJob | null {
    return this.#change((now) => {
      const stored = this.#store.find(id)
      if (stored === null) return null
      const job = finish(stored.job, token, end, now)
      const hasResult = stored.job.status !== 'succeeded' && job.status === 'succeeded'
      if (hasResult && first !== null) this.#pieces.put(id, 'result', 0, first)
      return this.#keep(hasResult ? { ...stored, resultPieces: pieces } : stored, job, now)
    })
  }

  told(id: string, round: number): void {
    this.#change((now) => this.#turn(id, (job) => told(job, round), now))
  }

  counts(): readonly LaneCounts[] {
    return countLanes(this.#rows, this.#options.now())
  }

  listDead(filter: DeadFilter, page: Page): Listed<StoredJob> {
    return listDead(this.#rows, filter, page)
  }

  redrive(ids: readonly string[]): readonly string[] {
    return this.#change((now) =>
      ids.filter((id) => {
        const stored = this.#store.find(id)
        if (stored === null || !stored.job.isDead) return false
        this.#store.countRate(stored.job.lane, 1, 0, now)
        this.#keep(stored, redrive(stored.job, now), now)
        return true
      }),
    )
  }

  purge(ids: readonly string[]): readonly string[] {
    return this.#change(() =>
      ids.filter((id) => {
        if (this.#store.find(id)?.job.isDead !== true) return false
        this.#store.remove(id)
        this.#pieces.dropJob(id)
        return true
      }),
    )
  }

  #turn(id: string, event: (job: Job) => Job, now: number): StoredJob | null {
    const stored = this.#store.find(id)
    return stored === null ? null : this.#keep(stored, event(stored.job), now)
  }

  #keep(before: StoredJob, job: Job, now: number): StoredJob {
    if (job === before.job) return before
    const hasEnded = isOpen(before.job) && !isOpen(job)
    // Whoever ended it tells it in a moment; if not, a message comes.
    const turned = { ...before, job: hasEnded ? noticed(job, now) : job }
    this.#store.save(turned)
    if (hasEnded) this.#store.countRate(job.lane, 0, 1, now)
    if (hasEnded && !job.isDead) this.#pieces.dropPart(job.id, 'request')
    if (before.job.run !== null && job.run === null) this.#waits.wake(job.id)
    return turned
  }

  #change<T>(event: (now: number) => T): T {
    const { transact, now, send, wakeAt } = this.#options
    const at = now()
    let outbox: Outbox = new Map()
    const done: { value: T }[] = []
    transact(() => {
      done.push({ value: event(at) })
      outbox = catchUp(
        {
          store: this.#store,
          pieces: this.#pieces,
          keys: this.#keys,
          keep: (stored, job) => this.#keep(stored, job, at),
        },
        at,
      )
    })
    if (outbox.size > 0) send(outbox)
    wakeAt(this.#store.nextWakeAt(at))
    const [first] = done
    if (first === undefined) throw new RangeError('Cannot go on: nothing was decided')
    return first.value
  }
}
