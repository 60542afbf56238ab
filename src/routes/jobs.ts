// Work that can wait: sent, listed, read, canceled.
import { type Context, Hono } from 'hono'
import type { AppEnv } from '../app.ts'
import type { Identifier } from '../flows/identify.ts'
import { cancelJob, listJobs, readJob } from '../flows/jobs/show-jobs.ts'
import type { JobTaker } from '../flows/jobs/submit-job.ts'
import type { Services } from '../ports.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

export const jobs = (services: Services, identify: Identifier, takeJob: JobTaker) => {
  const callerOf = (c: Context<AppEnv>) => identify(c.req.raw, c.get('scope'))
  return new Hono<AppEnv>()
    .post('/jobs', (c) => takeJob(c.req.raw, c.get('scope')))
    .get('/jobs', async (c) => c.json(await listJobs(services, await callerOf(c), c.req.query())))
    .get('/jobs/:id', async (c) =>
      c.body(await readJob(services, await callerOf(c), c.req.param('id')), 200, JSON_TYPE),
    )
    .delete('/jobs/:id', async (c) => {
      const caller = await callerOf(c)
      const asked = { id: c.req.param('id'), scope: c.get('scope') }
      return c.body(await cancelJob(services, caller, asked), 200, JSON_TYPE)
    })
}
