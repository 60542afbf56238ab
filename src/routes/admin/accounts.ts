// Accounts, and their gates by hand.
import { Hono } from 'hono'
import { accountChangeBody, newAccountBody } from '../../core/admin/account-body.ts'
import type { AnswerOnce } from '../../flows/admin/answer-once.ts'
import { createAccountManager } from '../../flows/admin/manage-accounts.ts'
import { expectOnly, parsePage, renderList } from '../../flows/admin/pages.ts'
import { createAccountReader } from '../../flows/admin/read-accounts.ts'
import { peppersOf } from '../../flows/hash-key.ts'
import { parseFields, readAdminBody } from '../../flows/admin/read-fields.ts'
import { createCredentialSealer } from '../../flows/seal-credential.ts'
import type { Services } from '../../ports.ts'
import type { AdminEnv } from './admin-env.ts'

export const accounts = (services: Services, answerOnce: AnswerOnce) => {
  const sealer = createCredentialSealer(peppersOf(services.config.keys))
  const reader = createAccountReader(services, sealer)
  const manager = createAccountManager(services, reader, sealer)
  const routes = new Hono<AdminEnv>()
    .post('/accounts', async (c) => {
      const admin = c.get('admin')
      const body = await readAdminBody(c.req.raw)
      return answerOnce({ admin, request: c.req.raw, body }, () =>
        manager.plan(admin, parseFields(newAccountBody, body)),
      )
    })
    .get('/accounts', async (c) => {
      expectOnly(c.req.query(), [])
      const page = parsePage(c.req.query(), ['string'])
      return c.json(renderList(await reader.list(c.get('admin').session, page), (shown) => shown))
    })
    .get('/accounts/:id', async (c) => {
      const view = await reader.find(c.get('admin').session, c.req.param('id'))
      return c.json(await reader.show(view))
    })
    .patch('/accounts/:id', async (c) => {
      const change = parseFields(accountChangeBody, await readAdminBody(c.req.raw))
      const view = await manager.change(c.get('admin'), c.req.param('id'), change)
      return c.json(await reader.show(view))
    })
    .delete('/accounts/:id', async (c) => {
      const id = c.req.param('id')
      await manager.remove(c.get('admin'), id, c.get('scope'))
      return c.json({ id, deleted: true })
    })
    .get('/accounts/:id/timeline', async (c) => {
      expectOnly(c.req.query(), [])
      const page = parsePage(c.req.query(), ['number'])
      const view = await reader.find(c.get('admin').session, c.req.param('id'))
      return c.json(renderList(await reader.timeline(view, page), (entry) => entry))
    })
  for (const operation of ['open', 'close', 'reset'] as const) {
    routes.post(`/accounts/:id/${operation}`, async (c) => {
      const view = await manager.operate(c.get('admin'), c.req.param('id'), operation)
      return c.json(await reader.show(view))
    })
  }
  return routes
}
