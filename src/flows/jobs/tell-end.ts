// A job's end is told to whom it may concern. Said more than once it is heard once; what could not be said is said again
// when the job's next message comes.
import type { Services } from '../../ports.ts'
import type { StoredJob } from '../../ports/jobs.ts'

/** Never throws. */
export async function tellEnd(services: Services, { job, facts }: StoredJob): Promise<void> {
  if (job.endedAt === null) return
  try {
    await services.jobRuns.told({ tenant: facts.tenant, job: job.id }, job.round)
  } catch (error) {
    services.log({ event: 'job_end_not_told', job: job.id, error: String(error) })
  }
}
