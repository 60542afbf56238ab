// Webhooks: how they stand, one of them again, and what they are signed with.
import { type Context, Hono } from 'hono'
import { webhookRotationBody } from '../../core/admin/webhook-body.ts'
import { GatewayError } from '../../core/errors.ts'
import { OPERATOR } from '../../core/webhooks/event.ts'
import type { AnswerOnce } from '../../flows/admin/answer-once.ts'
import { createWebhookDesk, showDelivery } from '../../flows/admin/manage-webhooks.ts'
import { expectOnly, parsePage, renderList } from '../../flows/admin/pages.ts'
import { parseFields, readAdminBody } from '../../flows/admin/read-fields.ts'
import type { Services } from '../../ports.ts'
import type { AdminEnv } from './admin-env.ts'

const STATES = ['pending', 'succeeded', 'failed', 'disabled']
/** Long enough to bring the new secret to every receiver. */
const USUAL_GRACE_SECONDS = 86_400

export const webhooks = (services: Services, answerOnce: AnswerOnce) => {
  const desk = createWebhookDesk(services)
  const rotate = async (c: Context<AdminEnv>, owner: string): Promise<Response> => {
    const admin = c.get('admin')
    const body = await readAdminBody(c.req.raw)
    return answerOnce({ admin, request: c.req.raw, body }, () => {
      const { grace_seconds: grace = USUAL_GRACE_SECONDS } = parseFields(webhookRotationBody, body)
      return desk.planRotation(admin, owner, grace * 1_000)
    })
  }
  return new Hono<AdminEnv>()
    .get('/webhooks', async (c) => {
      const query = c.req.query()
      expectOnly(query, ['tenant', 'state', 'type'])
      const { tenant: owner = null, state = null, type = null } = query
      if (state !== null && !STATES.includes(state)) {
        throw new GatewayError('invalid_request', `state: expected one of ${STATES.join(', ')}`)
      }
      const page = parsePage(query, ['number', 'string'])
      const listed = await c.get('admin').session.listDeliveries({ owner, state, type }, page)
      return c.json(renderList(listed, showDelivery))
    })
    .post('/webhooks/:id/redeliver', async (c) => {
      const admin = c.get('admin')
      const body = await readAdminBody(c.req.raw)
      return answerOnce({ admin, request: c.req.raw, body }, () =>
        desk.planRedelivery(admin, c.req.param('id')),
      )
    })
    .get('/webhook-secret', async (c) => c.json(await desk.showSecret(c.get('admin'), OPERATOR)))
    .post('/webhook-secret/rotate', (c) => rotate(c, OPERATOR))
    .get('/tenants/:id/webhook-secret', async (c) =>
      c.json(await desk.showSecret(c.get('admin'), c.req.param('id'))),
    )
    .post('/tenants/:id/webhook-secret/rotate', (c) => rotate(c, c.req.param('id')))
}
