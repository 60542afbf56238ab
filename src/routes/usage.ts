// What the calling tenant may spend, has left and has spent.
import { Hono } from 'hono'
import type { AppEnv } from '../app.ts'
import type { Identifier } from '../flows/identify.ts'
import { reportUsage } from '../flows/report-usage.ts'
import { parseUsageQuery } from '../flows/usage-query.ts'
import type { Services } from '../ports.ts'

export const usage = (services: Services, identify: Identifier) =>
  new Hono<AppEnv>().get('/usage', async (c) => {
    const caller = await identify(c.req.raw, c.get('scope'))
    const query = parseUsageQuery(c.req.query(), services.now())
    return c.json(await reportUsage(services, caller, query))
  })
