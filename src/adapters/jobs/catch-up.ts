// What is due for a tenant's jobs at one moment, within a transaction: dead runners, deadlines, ends that nobody told,
// jobs to forget; and which messages are to be sent.
import type { Lane } from '../../core/admission/admission.ts'
import type { Job } from '../../core/jobs/job.ts'
import { advance, noticed } from '../../core/jobs/machine.ts'
import { noticesOf } from '../../core/jobs/pace.ts'
import type { JobMessage, StoredJob } from '../../ports/jobs.ts'
import { formBatches } from './form-batches.ts'
import type { JobBatches } from './job-batches.ts'
import type { JobKeys } from './job-keys.ts'
import type { JobPieces } from './job-pieces.ts'
import type { JobStore } from './job-store.ts'
import type { LanePaces } from './lane-paces.ts'

export interface Kept {
  readonly store: JobStore
  readonly pieces: JobPieces
  readonly keys: JobKeys
  readonly paces: LanePaces
  readonly batches: JobBatches
  readonly newId: () => string
  readonly keep: (stored: StoredJob, job: Job) => StoredJob
}

export const LANES: readonly Lane[] = ['high', 'normal', 'low']

/** What is left is done at once after, so that one step stays short. */
const MOST_AT_ONCE = 200

export function catchUp(kept: Kept, now: number): ReadonlyMap<Lane, readonly JobMessage[]> {
  const { store, pieces, keys, paces, keep } = kept
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
    const most = noticesOf(paces.of(lane), now)
    const due = most === 0 ? [] : store.findDue(lane, now, most)
    if (due.length === 0) continue
    const room = most - store.countNoticed(lane, now)
    for (const stored of due.slice(0, Math.max(0, room))) announce(stored)
  }
  const batches = formBatches(kept, now)
  // They are what can wait most.
  if (batches.length > 0) outbox.set('low', [...(outbox.get('low') ?? []), ...batches])
  pieces.forgetOld(now)
  keys.forgetOld(now)
  store.forgetOld(now)
  return outbox
}
