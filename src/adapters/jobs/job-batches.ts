// A tenant's jobs that gather for a batch, and the batches that are under way.
import { type Batch, batchWakeAt } from '../../core/jobs/batch.ts'
import type { TenantRows } from './job-sql.ts'

export interface Gathering {
  readonly kind: string
  readonly count: number
  readonly bytes: number
  /** When the first of them has waited long enough. */
  readonly readyAt: number
}

export class JobBatches {
  readonly #rows: TenantRows

  constructor(rows: TenantRows) {
    this.#rows = rows
  }

  gather(id: string, { kind, bytes, readyAt }: Omit<Gathering, 'count'>): void {
    this.#rows(
      'INSERT OR REPLACE INTO job_gatherings (tenant, id, kind, ready_at, bytes) VALUES (?1, ?2, ?3, ?4, ?5)',
      id,
      kind,
      readyAt,
      bytes,
    )
  }

  release(id: string): void {
    this.#rows('DELETE FROM job_gatherings WHERE tenant = ?1 AND id = ?2', id)
  }

  gatherings(): readonly Gathering[] {
    return this.#rows(
      `SELECT kind, count(*) AS count, sum(bytes) AS bytes, min(ready_at) AS ready
       FROM job_gatherings WHERE tenant = ?1 GROUP BY kind`,
    ).map((row) => ({
      kind: String(row['kind']),
      count: Number(row['count']),
      bytes: Number(row['bytes']),
      readyAt: Number(row['ready']),
    }))
  }

  /** The oldest first, as many as that, and of so many bytes at most, but one at least. */
  gathered(kind: string, most: number, mostBytes: number): readonly string[] {
    const rows = this.#rows(
      'SELECT id, bytes FROM job_gatherings WHERE tenant = ?1 AND kind = ?2 ORDER BY ready_at, id LIMIT ?3',
      kind,
      most,
    )
    let bytes = 0
    return rows
      .filter((row, at) => {
        bytes += Number(row['bytes'])
        return at === 0 || bytes <= mostBytes
      })
      .map(({ id }) => String(id))
  }

  find(id: string): Batch | null {
    const [row] = this.#rows('SELECT record FROM job_batches WHERE tenant = ?1 AND id = ?2', id)
    return row === undefined ? null : (JSON.parse(String(row['record'])) as Batch)
  }

  save(batch: Batch): void {
    this.#rows(
      'INSERT OR REPLACE INTO job_batches (tenant, id, wake_at, record) VALUES (?1, ?2, ?3, ?4)',
      batch.id,
      batchWakeAt(batch),
      JSON.stringify(batch),
    )
  }

  remove(id: string): void {
    this.#rows('DELETE FROM job_batches WHERE tenant = ?1 AND id = ?2', id)
  }

  findDue(now: number): readonly Batch[] {
    return this.#rows(
      'SELECT record FROM job_batches WHERE tenant = ?1 AND wake_at <= ?2 LIMIT 100',
      now,
    ).map((row) => JSON.parse(String(row['record'])) as Batch)
  }

  nextWakeAt(): number | null {
    const [row = {}] = this.#rows(
      `SELECT (SELECT min(wake_at) FROM job_batches WHERE tenant = ?1) AS batch,
         (SELECT min(ready_at) FROM job_gatherings WHERE tenant = ?1) AS ready`,
    )
    const moments = Object.values(row).flatMap((at) => (typeof at === 'number' ? [at] : []))
    return moments.length === 0 ? null : Math.min(...moments)
  }
}
