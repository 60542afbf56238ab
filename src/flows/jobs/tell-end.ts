// A job's end is told to whom it may concern. Said more than once it is heard once; what could not be said is said again
// when the job's next message comes.
import { deadLetterEvent } from '../../core/webhooks/event.ts'
import type { Services } from '../../ports.ts'
import type { StoredJob } from '../../ports/jobs.ts'
import { showJob } from './show-job.ts'

/** Never throws. */
export async function tellEnd(services: Services, stored: StoredJob): Promise<void> {
  const { webhooks, jobRuns, log } = services
  const { job, facts } = stored
  const { status, endedAt } = job
  if (endedAt === null || status === 'queued' || status === 'running') return
  try {
    await webhooks.jobEnded({
      tenant: facts.tenant,
      id: job.id,
      round: job.round,
      status,
      endedAt,
      url: facts.webhookUrl,
      shown: showJob(stored),
    })
    if (job.isDead) await webhooks.tell(letterOf(stored, endedAt))
    await jobRuns.told({ tenant: facts.tenant, job: job.id }, job.round)
  } catch (error) {
    log({ event: 'job_end_not_told', job: job.id, error: String(error) })
  }
}

const letterOf = ({ job, facts }: StoredJob, at: number) =>
  deadLetterEvent({
    tenant: facts.tenant,
    jobId: job.id,
    round: job.round,
    lane: job.lane,
    attempts: job.attempts,
    reason: job.error?.type ?? 'api_error',
    at,
  })
