// What tenants used and what it cost.
import { Hono } from 'hono'
import { showUsage } from '../../core/money/usage-report.ts'
import { listUsage } from '../../flows/admin/list-usage.ts'
import { expectOnly, parsePage, renderList } from '../../flows/admin/pages.ts'
import { parseUsageQuery } from '../../flows/report-usage.ts'
import type { Services } from '../../ports.ts'
import type { AdminEnv } from './admin-env.ts'

export const adminUsage = (services: Services) =>
  new Hono<AdminEnv>().get('/usage', async (c) => {
    const query = c.req.query()
    expectOnly(query, ['tenant', 'from', 'to', 'group_by'])
    const { from, to, groupBy } = parseUsageQuery(query, services.now())
    const fields = [...new Set(groupBy)]
    const page = parsePage(query, ['string', ...fields.map(() => 'string' as const)])
    const source = { usage: services.usage, session: c.get('admin').session }
    const span = { tenant: query['tenant'] ?? null, from, to, groupBy: fields }
    const listed = await listUsage(source, span, page)
    return c.json(renderList(listed, (row) => showUsage(row, fields)))
  })
