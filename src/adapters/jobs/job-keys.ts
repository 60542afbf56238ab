// Idempotency keys and what they were answered.
import type { Submitted, TakenJob } from '../../ports/jobs.ts'
import type { TenantRows } from './job-sql.ts'
import type { UsedIdempotency } from './jobs-place.ts'

export interface UsedKey {
  readonly bodyHash: string
  /** The job that it was used for. */
  readonly by: string
  /** null: its request is still being received. */
  readonly taken: TakenJob | null
}

export class JobKeys {
  readonly #rows: TenantRows

  constructor(rows: TenantRows) {
    this.#rows = rows
  }

  find(name: string, now: number): UsedKey | null {
    const [row] = this.#rows(
      'SELECT body_hash, job, taken FROM job_keys WHERE tenant = ?1 AND name = ?2 AND until > ?3',
      name,
      now,
    )
    if (row === undefined) return null
    const taken = row['taken']
    return {
      bodyHash: String(row['body_hash']),
      by: String(row['job']),
      taken: typeof taken === 'string' ? (JSON.parse(taken) as TakenJob) : null,
    }
  }

  /** Nothing is kept where there is no key. */
  keep(
    asked: UsedIdempotency | null,
    { by, taken }: Omit<UsedKey, 'bodyHash'>,
    until: number,
  ): void {
    if (asked === null) return
    this.#rows(
      `INSERT OR REPLACE INTO job_keys (tenant, name, body_hash, job, taken, until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
      asked.key,
      asked.bodyHash,
      by,
      taken === null ? null : JSON.stringify(taken),
      until,
    )
  }

  /** What a request with this key is answered where it came before; null: it is the first, or what `by` began. */
  answerBefore(asked: UsedIdempotency | null, by: string, now: number): Submitted | null {
    const used = asked === null ? null : this.find(asked.key, now)
    if (used === null || (used.taken === null && used.by === by)) return null
    if (used.bodyHash !== asked?.bodyHash) return { kind: 'mismatch' }
    return used.taken === null ? { kind: 'in_flight' } : { kind: 'replay', taken: used.taken }
  }

  forgetOld(now: number): void {
    this.#rows('DELETE FROM job_keys WHERE tenant = ?1 AND until <= ?2', now)
  }
}
