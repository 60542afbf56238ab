// The queues of jobs, and their dead letters.
import { type Context, Hono } from 'hono'
import { lettersBody } from '../../core/admin/job-body.ts'
import { handleLetters, listLetters, showQueues } from '../../flows/admin/job-desk.ts'
import { expectOnly } from '../../flows/admin/pages.ts'
import { parseFields, readAdminBody } from '../../flows/admin/read-fields.ts'
import type { Services } from '../../ports.ts'
import type { AdminEnv } from './admin-env.ts'

export const adminJobs = (services: Services) => {
  const handle = async (c: Context<AdminEnv>, what: 'redrive' | 'purge') => {
    const asked = parseFields(lettersBody, await readAdminBody(c.req.raw))
    return c.json(await handleLetters(services, c.get('admin'), { what, asked }))
  }
  return new Hono<AdminEnv>()
    .get('/queues', async (c) => {
      expectOnly(c.req.query(), [])
      return c.json({ ...(await showQueues(services)), has_more: false, next_page: null })
    })
    .get('/dead-letters', async (c) => c.json(await listLetters(services, c.req.query())))
    .post('/dead-letters/redrive', (c) => handle(c, 'redrive'))
    .post('/dead-letters/purge', (c) => handle(c, 'purge'))
}
