// The bytes of requests and results, in pieces that fit a row. Those of a job that never came, since its sender died
// before its last piece, are forgotten after a while.
import type { TenantRows } from './job-sql.ts'

export type Part = 'request' | 'result'

export class JobPieces {
  readonly #rows: TenantRows

  constructor(rows: TenantRows) {
    this.#rows = rows
  }

  put(id: string, part: Part, number: number, bytes: Uint8Array): void {
    this.#rows(
      'INSERT OR REPLACE INTO job_pieces (tenant, id, part, number, bytes) VALUES (?1, ?2, ?3, ?4, ?5)',
      id,
      part,
      number,
      bytes,
    )
  }

  read(id: string, part: Part, number: number): Uint8Array | null {
    const [row] = this.#rows(
      'SELECT bytes FROM job_pieces WHERE tenant = ?1 AND id = ?2 AND part = ?3 AND number = ?4',
      id,
      part,
      number,
    )
    const bytes = row?.['bytes']
    if (bytes instanceof ArrayBuffer) return new Uint8Array(bytes)
    return bytes instanceof Uint8Array ? bytes : null
  }

  dropPart(id: string, part: Part): void {
    this.#rows('DELETE FROM job_pieces WHERE tenant = ?1 AND id = ?2 AND part = ?3', id, part)
  }

  /** Pieces came that are nobody's until their job is taken. */
  expectJob(id: string, until: number): void {
    this.#rows(
      'INSERT OR REPLACE INTO job_uploads (tenant, id, until) VALUES (?1, ?2, ?3)',
      id,
      until,
    )
  }

  isExpected(id: string): boolean {
    return this.#rows('SELECT 1 FROM job_uploads WHERE tenant = ?1 AND id = ?2', id).length > 0
  }

  jobCame(id: string): void {
    this.#rows('DELETE FROM job_uploads WHERE tenant = ?1 AND id = ?2', id)
  }

  dropJob(id: string): void {
    this.#rows('DELETE FROM job_pieces WHERE tenant = ?1 AND id = ?2', id)
  }

  forgetOld(now: number): void {
    const old = this.#rows('SELECT id FROM job_uploads WHERE tenant = ?1 AND until <= ?2', now)
    for (const { id } of old) {
      this.dropJob(String(id))
      this.jobCame(String(id))
    }
  }
}
