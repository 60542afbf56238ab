// The shell around one tenant's jobs, the same in an object and in a process: it asks the core, has written what changed,
// and says which messages are to be sent. All is decided and written in one step, so nothing interleaves.
import {
  advance,
  cancel,
  claim,
  finish,
  newJob,
  redrive,
  renew,
  told,
} from '../../core/jobs/machine.ts'
import type { Listed, Page } from '../../ports/admin.ts'
import type {
  ClaimedBatch,
  DeadFilter,
  JobFilter,
  LaneCounts,
  RunClaim,
  SentBatch,
  StoredJob,
  Submitted,
  TakenJob,
} from '../../ports/jobs.ts'
import { countLanes, listDead } from './dead-letters.ts'
import { BatchHost } from './batch-host.ts'
import { JobJournal, type JobJournalOptions } from './job-journal.ts'
import type { Part } from './job-pieces.ts'
import {
  type JobsPlace,
  PIECE_BYTES,
  type PlacedClaim,
  type PlacedFinish,
  type PlacedPiece,
  type PlacedSubmission,
  type UsedIdempotency,
} from './jobs-place.ts'

const KEY_LIFE_MS = 86_400_000
/** What a large request takes to arrive; nobody waits longer for its sender. */
const UPLOAD_LIFE_MS = 300_000
const COUNTED_PLACES = 1_000
/** Half a minute of the usual SLUICE_LEASE_TTL_MS. */
const GATHER_NOTICES = 2

export class JobsHost implements JobsPlace {
  readonly #journal: JobJournal
  readonly #batches: BatchHost

  constructor(options: JobJournalOptions) {
    this.#journal = new JobJournal(options)
    this.#batches = new BatchHost(this.#journal)
  }

  /** What time alone does: to be called at the moment that was asked for. */
  tick(): void {
    this.#journal.change(() => {})
  }

  stop(): void {
    this.#journal.waits.stop()
  }

  begin(id: string, idempotency: UsedIdempotency | null): Submitted | null {
    return this.#journal.change((now) => {
      const before = this.#journal.keys.answerBefore(idempotency, id, now)
      if (before !== null) return before
      this.#journal.pieces.expectJob(id, now + UPLOAD_LIFE_MS)
      this.#journal.keys.keep(idempotency, { by: id, taken: null }, now + UPLOAD_LIFE_MS)
      return null
    })
  }

  putPiece({ id, part, number, bytes }: PlacedPiece): void {
    this.#journal.pieces.put(id, part, number, bytes)
  }

  submit({ job: asked, facts, pieces, first, idempotency }: PlacedSubmission): Submitted {
    return this.#journal.change((now) => {
      const before = this.#journal.keys.answerBefore(idempotency, asked.id, now)
      if (before !== null) return before
      if (pieces > 1 && !this.#journal.pieces.isExpected(asked.id)) {
        throw new RangeError('Cannot take a job whose first pieces were forgotten')
      }
      const job = newJob(asked, now)
      const waiting = this.#journal.store.countQueued(job.lane, COUNTED_PLACES)
      this.#journal.pieces.put(job.id, 'request', 0, first)
      this.#journal.pieces.jobCame(job.id)
      const stored = { job, facts, requestPieces: pieces, resultPieces: 0 }
      this.#journal.store.save(stored)
      this.#gather(stored, first.byteLength + (pieces - 1) * PIECE_BYTES)
      this.#journal.store.countRate(job.lane, 1, 0, now)
      const taken: TakenJob = {
        id: job.id,
        lane: job.lane,
        mode: job.mode,
        createdAt: now,
        place: waiting < COUNTED_PLACES ? waiting + 1 : null,
      }
      this.#journal.keys.keep(idempotency, { by: job.id, taken }, now + KEY_LIFE_MS)
      return { kind: 'taken', taken }
    })
  }

  /** As it is now, whatever its time has done to it meanwhile. */
  look(id: string): StoredJob | null {
    const stored = this.#journal.store.find(id)
    const now = this.#journal.now()
    if (stored === null || (stored.job.removeAt ?? Infinity) <= now) return null
    return { ...stored, job: advance(stored.job, now) }
  }

  list(filter: JobFilter, page: Page): Listed<StoredJob> {
    return this.#journal.store.list(filter, page)
  }

  readPiece(id: string, part: Part, number: number): Uint8Array | null {
    return this.#journal.pieces.read(id, part, number)
  }

  cancel(id: string): StoredJob | null {
    return this.#journal.change((now) => this.#journal.turn(id, (job) => cancel(job, now), now))
  }

  claim(id: string, asked: RunClaim): PlacedClaim {
    return this.#journal.change((now): PlacedClaim => {
      const stored = this.#journal.store.find(id)
      if (stored === null) return { kind: 'nothing' }
      const [job, answer] = claim(stored.job, asked, now)
      const turned = this.#journal.keep(stored, job, now)
      if (answer.kind === 'tell') return { kind: 'tell', stored: turned }
      if (answer.kind === 'nothing') return answer
      const first = this.#journal.pieces.read(id, 'request', 0)
      if (first === null) throw new RangeError('Cannot run a job without its request')
      return { kind: 'run', stored: turned, attempt: answer.attempt, first }
    })
  }

  async hold(id: string, asked: RunClaim): Promise<boolean> {
    const mayGoOn = (): boolean =>
      this.#journal.change((now) => {
        const stored = this.#journal.store.find(id)
        if (stored === null) return false
        const [job, goes] = renew(stored.job, asked, now)
        this.#journal.keep(stored, job, now)
        return goes
      })
    if (!mayGoOn()) return false
    await this.#journal.waits.wait(id, asked.leaseMs / 3)
    return mayGoOn()
  }

  finish(id: string, { token, end, pieces, first }: PlacedFinish): StoredJob | null {
    return this.#journal.change((now) => {
      const stored = this.#journal.store.find(id)
      if (stored === null) return null
      const job = finish(stored.job, token, end, now)
      if (stored.job.run?.token === token)
        this.#journal.pace(stored.job.lane, end.kind === 'refused', now)
      const hasResult = stored.job.status !== 'succeeded' && job.status === 'succeeded'
      if (hasResult && first !== null) this.#journal.pieces.put(id, 'result', 0, first)
      return this.#journal.keep(hasResult ? { ...stored, resultPieces: pieces } : stored, job, now)
    })
  }

  claimBatch(id: string, claim: RunClaim): ClaimedBatch | null {
    return this.#batches.claim(id, claim)
  }

  sentBatch(id: string, token: string, sent: SentBatch): void {
    this.#batches.sent(id, token, sent)
  }

  waitForBatch(id: string, token: string): void {
    this.#batches.wait(id, token)
  }

  endBatch(id: string, token: string): void {
    this.#batches.end(id, token)
  }

  told(id: string, round: number): void {
    this.#journal.change((now) => this.#journal.turn(id, (job) => told(job, round), now))
  }

  counts(): readonly LaneCounts[] {
    return countLanes(this.#journal.rows, this.#journal.now())
  }

  listDead(filter: DeadFilter, page: Page): Listed<StoredJob> {
    return listDead(this.#journal.rows, filter, page)
  }

  redrive(ids: readonly string[]): readonly string[] {
    return this.#journal.change((now) =>
      ids.filter((id) => {
        const stored = this.#journal.store.find(id)
        if (stored === null || !stored.job.isDead) return false
        this.#journal.store.countRate(stored.job.lane, 1, 0, now)
        this.#journal.keep(stored, redrive(stored.job, now), now)
        return true
      }),
    )
  }

  purge(ids: readonly string[]): readonly string[] {
    return this.#journal.change(() =>
      ids.filter((id) => {
        if (this.#journal.store.find(id)?.job.isDead !== true) return false
        this.#journal.store.remove(id)
        this.#journal.pieces.dropJob(id)
        return true
      }),
    )
  }

  #gather({ job }: StoredJob, bytes: number): void {
    if (job.batch === null) return
    const readyAt = job.createdAt + GATHER_NOTICES * job.rules.noticeMs
    this.#journal.batches.gather(job.id, { kind: job.batch.group, bytes, readyAt })
  }
}
