// Tenants: who pays.
import { Hono } from 'hono'
import { newTenantBody, showTenant, tenantChangeBody } from '../../core/admin/tenant-body.ts'
import type { AnswerOnce } from '../../flows/admin/answer-once.ts'
import { changeTenant, findTenant, noTenant, planTenant } from '../../flows/admin/manage-tenants.ts'
import { expectOnly, parsePage, renderList } from '../../flows/admin/pages.ts'
import { parseFields, readAdminBody } from '../../flows/admin/read-fields.ts'
import { checkWebhookAddress } from '../../flows/webhooks/check-address.ts'
import type { TenantChange } from '../../ports/admin.ts'
import type { Services } from '../../ports.ts'
import type { AdminEnv } from './admin-env.ts'

export const tenants = (services: Services, answerOnce: AnswerOnce) => {
  const { allowedOrigins } = services.config.webhooks
  const checkEndpoint = ({ settings }: TenantChange): void => {
    const endpoint = settings?.webhook_endpoint ?? null
    if (endpoint !== null) {
      checkWebhookAddress(endpoint, { field: 'settings.webhook_endpoint', allowedOrigins })
    }
  }
  return new Hono<AdminEnv>()
    .post('/tenants', async (c) => {
      const admin = c.get('admin')
      const body = await readAdminBody(c.req.raw)
      return answerOnce({ admin, request: c.req.raw, body }, async () => {
        const tenant = parseFields(newTenantBody, body)
        checkEndpoint(tenant)
        return planTenant(admin, tenant, services.now())
      })
    })
    .get('/tenants', async (c) => {
      expectOnly(c.req.query(), [])
      const page = parsePage(c.req.query(), ['number', 'string'])
      return c.json(renderList(await c.get('admin').session.listTenants(page), showTenant))
    })
    .get('/tenants/:id', async (c) =>
      c.json(showTenant(await findTenant(c.get('admin').session, c.req.param('id')))),
    )
    .patch('/tenants/:id', async (c) => {
      const change = parseFields(tenantChangeBody, await readAdminBody(c.req.raw))
      checkEndpoint(change)
      return c.json(showTenant(await changeTenant(c.get('admin'), c.req.param('id'), change)))
    })
    .delete('/tenants/:id', async (c) => {
      const { session, write } = c.get('admin')
      const id = c.req.param('id')
      if (!(await session.removeTenant(id, write(null)))) throw noTenant()
      return c.json({ id, deleted: true })
    })
}
