// What is due for a tenant's jobs at one moment, within a transaction: dead runners, deadlines, ends that nobody told,
// jobs to forget; and which messages are to be sent.
import type { Lane } from '../../core/admission/admission.ts'
import type { Job } from '../../core/jobs/job.ts'
import { advance, noticed } from '../../core/jobs/machine.ts'
import type { JobMessage, StoredJob } from '../../ports/jobs.ts'
import type { JobKeys } from './job-keys.ts'
import type { JobPieces } from './job-pieces.ts'
import type { JobStore } from './job-store.ts'

export interface Kept {
  readonly store: JobStore
  readonly pieces: JobPieces
  readonly keys: JobKeys
  readonly keep: (stored: StoredJob, job: Job) => StoredJob
}

export const LANES: readonly Lane[] = ['high', 'normal', 'low']

/** What is left is done at once after, so that one step stays short. */
const MOST_AT_ONCE = 200
/**
 * Messages of one tenant that a lane's queue holds: its thousands of jobs do not stand before another tenant's one, and
 * few are sent again where a queue is slow.
 */
const NOTICES_PER_LANE = 50

export function catchUp(kept: Kept, now: number): ReadonlyMap<Lane, readonly JobMessage[]> {
  const { store, pieces, keys, keep } = kept
  const outbox = new Map<Lane, JobMessage[]>()
  const announce = (stored: StoredJob): void => {
    const { id, lane } = stored.job
    store.save({ ...stored, job: noticed(stored.job, now) })
    outbox.set(lane, [...(outbox.get(lane) ?? []), { tenant: stored.facts.tenant, job: id }])
  }
  for (const stored of store.findLate(now, MOST_AT_ONCE)) {
    const turned = keep(stored, advance(stored.job, now))
    // Nobody is there who would tell its end.
    if (turned.job.endedAt !== null) announce(turned)
  }
  for (const stored of store.findEnded(now, MOST_AT_ONCE)) {
    const { id, isTold, removeAt } = stored.job
    if (isTold || (removeAt ?? Infinity) <= now) {
      store.remove(id)
      pieces.dropJob(id)
    } else announce(stored)
  }
  for (const lane of LANES) {
    const due = store.findDue(lane, now, NOTICES_PER_LANE)
    if (due.length === 0) continue
    const room = NOTICES_PER_LANE - store.countNoticed(lane, now)
    for (const stored of due.slice(0, Math.max(0, room))) announce(stored)
  }
  pieces.forgetOld(now)
  keys.forgetOld(now)
  store.forgetOld(now)
  return outbox
}
