// Keys: a tenant's credentials to us.
import { Hono } from 'hono'
import { keyBody, rotationBody, showKey } from '../../core/admin/key-body.ts'
import type { AnswerOnce } from '../../flows/admin/answer-once.ts'
import { noKey, planKey, planRotation } from '../../flows/admin/manage-keys.ts'
import { findTenant } from '../../flows/admin/manage-tenants.ts'
import { expectOnly, parsePage, renderList } from '../../flows/admin/pages.ts'
import { parseFields, readAdminBody } from '../../flows/admin/read-fields.ts'
import { createKeyHasher } from '../../flows/hash-key.ts'
import type { KeyChange } from '../../ports/admin.ts'
import type { Services } from '../../ports.ts'
import type { AdminEnv } from './admin-env.ts'

export const keys = (services: Services, answerOnce: AnswerOnce) => {
  const hash = createKeyHasher(services.config.keys.pepper)
  return new Hono<AdminEnv>()
    .post('/tenants/:id/keys', async (c) => {
      const admin = c.get('admin')
      const body = await readAdminBody(c.req.raw)
      const desk = { session: admin.session, hash, now: services.now() }
      return answerOnce({ admin, request: c.req.raw, body }, () =>
        planKey(desk, c.req.param('id'), parseKey(body)),
      )
    })
    .get('/tenants/:id/keys', async (c) => {
      expectOnly(c.req.query(), [])
      const page = parsePage(c.req.query(), ['number', 'string'])
      const { session } = c.get('admin')
      const { id } = await findTenant(session, c.req.param('id'))
      return c.json(renderList(await session.listKeys(id, page), showKey))
    })
    .post('/keys/:id/rotate', async (c) => {
      const admin = c.get('admin')
      const body = await readAdminBody(c.req.raw)
      const desk = { session: admin.session, hash, now: services.now() }
      return answerOnce({ admin, request: c.req.raw, body }, () => {
        const { grace_seconds: graceSeconds = 0 } = parseFields(rotationBody, body)
        return planRotation(desk, c.req.param('id'), graceSeconds * 1_000)
      })
    })
    .patch('/keys/:id', async (c) => {
      const { session, write } = c.get('admin')
      const change = parseKey(await readAdminBody(c.req.raw))
      const key = await session.changeKey(c.req.param('id'), change, write(null))
      if (key === null) throw noKey()
      return c.json(showKey(key))
    })
    .delete('/keys/:id', async (c) => {
      const { session, write } = c.get('admin')
      const id = c.req.param('id')
      if (!(await session.revokeKey(id, write(null)))) throw noKey()
      return c.json({ id, deleted: true })
    })
}

function parseKey(body: string): KeyChange {
  const { expires_at: expiresAt, ...fields } = parseFields(keyBody, body)
  return expiresAt === undefined ? fields : { ...fields, expiresAt }
}
