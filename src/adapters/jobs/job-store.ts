// Jobs in SQLite: an object's own, or a file with those of every tenant.
import type { Lane } from '../../core/admission/admission.ts'
import { isOpen } from '../../core/jobs/job.ts'
import { wakeAt } from '../../core/jobs/machine.ts'
import type { Listed, Page } from '../../ports/admin.ts'
import type { JobFilter, StoredJob } from '../../ports/jobs.ts'
import type { JobRow, TenantRows } from './job-sql.ts'

export class JobStore {
  readonly #rows: TenantRows

  constructor(rows: TenantRows) {
    this.#rows = rows
  }

  find(id: string): StoredJob | null {
    const [row] = this.#rows('SELECT record FROM jobs WHERE tenant = ?1 AND id = ?2', id)
    return row === undefined ? null : recordOf(row)
  }

  save(stored: StoredJob): void {
    const { job, facts } = stored
    this.#rows(
      `INSERT OR REPLACE INTO jobs (tenant, id, status, lane, owner, created_at, due_at, wake_at,
         deadline_at, dead_at, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)`,
      job.id,
      job.status,
      job.lane,
      facts.owner,
      job.createdAt,
      job.dueAt,
      Math.min(wakeAt(job), Number.MAX_SAFE_INTEGER),
      isOpen(job) ? job.deadlineAt : null,
      job.isDead ? job.endedAt : null,
      JSON.stringify(stored),
    )
  }

  remove(id: string): void {
    this.#rows('DELETE FROM jobs WHERE tenant = ?1 AND id = ?2', id)
  }

  list({ status, lane, owner }: JobFilter, { limit, after }: Page): Listed<StoredJob> {
    const [createdAt, id] = after ?? [Number.MAX_SAFE_INTEGER, '']
    const rows = this.#rows(
      `SELECT record FROM jobs WHERE tenant = ?1 AND (created_at, id) < (?2, ?3)
         AND (?4 IS NULL OR status = ?4) AND (?5 IS NULL OR lane = ?5) AND (?6 IS NULL OR owner = ?6)
       ORDER BY created_at DESC, id DESC LIMIT ?7`,
      Number(createdAt),
      String(id),
      status,
      lane,
      owner,
      limit + 1,
    ).map(recordOf)
    const data = rows.slice(0, limit)
    const last = data.at(-1)
    const next =
      rows.length > limit && last !== undefined ? [last.job.createdAt, last.job.id] : null
    return { data, next }
  }

  /** Whose deadline is over, or whose runner is dead. */
  findLate(now: number, most: number): readonly StoredJob[] {
    return [
      ...this.#rows(
        'SELECT record FROM jobs WHERE tenant = ?1 AND deadline_at <= ?2 LIMIT ?3',
        now,
        most,
      ),
      ...this.#rows(
        `SELECT record FROM jobs WHERE tenant = ?1 AND status = 'running' AND wake_at <= ?2
           AND deadline_at > ?2 LIMIT ?3`,
        now,
        most,
      ),
    ].map(recordOf)
  }

  /** Ended, and something is still to be done for them. */
  findEnded(now: number, most: number): readonly StoredJob[] {
    return this.#rows(
      `SELECT record FROM jobs WHERE tenant = ?1 AND wake_at <= ?2 AND deadline_at IS NULL LIMIT ?3`,
      now,
      most,
    ).map(recordOf)
  }

  /** Due and known to the queue. */
  countNoticed(lane: Lane, now: number): number {
    const [row] = this.#rows(
      `SELECT count(*) AS n FROM jobs
       WHERE tenant = ?1 AND status = 'queued' AND lane = ?2 AND wake_at > ?3 AND due_at <= ?3`,
      lane,
      now,
    )
    return Number(row?.['n'])
  }

  /** Due and not known to the queue, the oldest first. */
  findDue(lane: Lane, now: number, most: number): readonly StoredJob[] {
    return this.#rows(
      `SELECT record FROM jobs WHERE tenant = ?1 AND status = 'queued' AND lane = ?2 AND wake_at <= ?3
       ORDER BY wake_at, created_at, id LIMIT ?4`,
      lane,
      now,
      most,
    ).map(recordOf)
  }

  countQueued(lane: Lane, most: number): number {
    const [row] = this.#rows(
      `SELECT count(*) AS n FROM
         (SELECT 1 FROM jobs WHERE tenant = ?1 AND status = 'queued' AND lane = ?2 LIMIT ?3)`,
      lane,
      most,
    )
    return Number(row?.['n'])
  }

  /** What waits for room in its lane needs no clock: room comes with an event. */
  nextWakeAt(now: number): number | null {
    const [row = {}] = this.#rows(
      `SELECT (SELECT min(wake_at) FROM jobs WHERE tenant = ?1 AND wake_at > ?2) AS later,
         (SELECT min(wake_at) FROM jobs WHERE tenant = ?1 AND status = 'running') AS running,
         (SELECT min(wake_at) FROM jobs WHERE tenant = ?1 AND wake_at <= ?2 AND deadline_at IS NULL) AS ended,
         (SELECT min(deadline_at) FROM jobs WHERE tenant = ?1 AND deadline_at IS NOT NULL) AS deadline,
         (SELECT min(until) FROM job_uploads WHERE tenant = ?1) AS upload,
         (SELECT min(until) FROM job_keys WHERE tenant = ?1) AS used`,
      now,
    )
    const moments = Object.values(row).flatMap((at) => (typeof at === 'number' ? [at] : []))
    return moments.length === 0 ? null : Math.min(...moments)
  }

  forgetOld(now: number): void {
    this.#rows('DELETE FROM job_rates WHERE tenant = ?1 AND minute < ?2', minuteOf(now) - 60)
  }

  countRate(lane: Lane, came: number, went: number, now: number): void {
    this.#rows(
      `INSERT INTO job_rates (tenant, lane, minute, came, went) VALUES (?1, ?2, ?3, ?4, ?5)
       ON CONFLICT (tenant, lane, minute) DO UPDATE SET came = came + ?4, went = went + ?5`,
      lane,
      minuteOf(now),
      came,
      went,
    )
  }
}

const MINUTE_MS = 60_000
export const minuteOf = (at: number): number => Math.floor(at / MINUTE_MS)

/** Our own writing. */
export const recordOf = (row: JobRow): StoredJob => JSON.parse(String(row['record'])) as StoredJob
