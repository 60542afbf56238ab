// Jobs that have gathered long enough, or are enough, become a batch; batches that are due are announced.
import { newBatch, noticedBatch } from '../../core/jobs/batch.ts'
import { isGathering, joinBatch } from '../../core/jobs/machine.ts'
import type { JobMessage, StoredJob } from '../../ports/jobs.ts'
import type { Kept } from './catch-up.ts'

/** Bodies of a batch are in a Worker's memory while it is sent. */
const MOST_JOBS = 1_000
const MOST_BYTES = 16_000_000

/** The batches that a message is to be sent for. */
export function formBatches(kept: Kept, now: number): readonly JobMessage[] {
  const { batches, store, keep, newId } = kept
  for (const { kind, count, bytes, readyAt } of batches.gatherings()) {
    if (readyAt > now && count < MOST_JOBS && bytes < MOST_BYTES) continue
    const ids = batches.gathered(kind, MOST_JOBS, MOST_BYTES)
    const jobs = ids.flatMap((id) => store.find(id) ?? []).filter(({ job }) => isGathering(job))
    for (const id of ids) batches.release(id)
    const id = `bat_${newId()}`
    const joined = jobs.map((stored) => keep(stored, joinBatch(stored.job, id, now)))
    const inside = joined.filter(({ job }) => job.batch?.id === id)
    const [first] = inside
    if (first === undefined) continue
    const { tenant } = first.facts
    const made = { id, tenant, group: kind, jobs: inside.map(idOf), rules: rulesOf(first) }
    batches.save(newBatch(made, now))
  }
  return batches.findDue(now).map((batch) => {
    batches.save(noticedBatch(batch, now))
    return { tenant: batch.tenant, job: batch.id }
  })
}

const idOf = ({ job }: StoredJob): string => job.id

const rulesOf = ({ job }: StoredJob) => ({
  pollMs: Math.max(100, job.rules.noticeMs / 3),
  noticeMs: job.rules.noticeMs,
})
