// What tenants used and what it cost.
import { Hono } from 'hono'
import { showUsage } from '../../core/money/usage-report.ts'
import { listUsage } from '../../flows/admin/list-usage.ts'
import { expectOnly, renderList } from '../../flows/admin/pages.ts'
import { parseUsageQuery } from '../../flows/usage-query.ts'
import type { Services } from '../../ports.ts'
import type { AdminEnv } from './admin-env.ts'

export const adminUsage = (services: Services) =>
  new Hono<AdminEnv>().get('/usage', async (c) => {
    const query = c.req.query()
    expectOnly(query, ['tenant', 'from', 'to', 'group_by'])
    const { groupBy, page, ...days } = parseUsageQuery(query, services.now())
    const source = { usage: services.usage, session: c.get('admin').session }
    const span = { tenant: query['tenant'] ?? null, ...days, groupBy }
    const listed = await listUsage(source, span, page)
    return c.json(renderList(listed, (row) => showUsage(row, groupBy)))
  })
