// The paces of a tenant's lanes: those that are not full.
import type { Lane } from '../../core/admission/admission.ts'
import { FULL_PACE, type Pace } from '../../core/jobs/pace.ts'
import type { TenantRows } from './job-sql.ts'

export class LanePaces {
  readonly #rows: TenantRows

  constructor(rows: TenantRows) {
    this.#rows = rows
  }

  of(lane: Lane): Pace {
    const query = 'SELECT refusals, rests_until FROM job_paces WHERE tenant = ?1 AND lane = ?2'
    const [row] = this.#rows(query, lane)
    if (row === undefined) return FULL_PACE
    return { refusals: Number(row['refusals']), restsUntil: Number(row['rests_until']) }
  }

  keep(lane: Lane, { refusals, restsUntil }: Pace): void {
    this.#rows(
      'INSERT OR REPLACE INTO job_paces (tenant, lane, refusals, rests_until) VALUES (?1, ?2, ?3, ?4)',
      lane,
      refusals,
      restsUntil,
    )
  }

  /** Something was served. */
  clear(lane: Lane): void {
    this.#rows('DELETE FROM job_paces WHERE tenant = ?1 AND lane = ?2', lane)
  }

  nextWakeAt(now: number): number | null {
    const query =
      'SELECT min(rests_until) AS at FROM job_paces WHERE tenant = ?1 AND rests_until > ?2'
    const at = this.#rows(query, now)[0]?.['at']
    return typeof at === 'number' ? at : null
  }
}
