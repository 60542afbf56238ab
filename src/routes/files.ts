// Claude's own file routes, each file its tenant's own.
import { type Context, Hono } from 'hono'
import type { AppEnv } from '../app.ts'
import type { Identifier } from '../flows/identify.ts'
import { FileManager } from '../flows/owned/manage-files.ts'
import type { Services } from '../ports.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

export const files = (services: Services, identify: Identifier) => {
  const manager = new FileManager(services, identify)
  const askOf = (c: Context<AppEnv>) => {
    const id = c.req.param('id')
    return { request: c.req.raw, scope: c.get('scope'), ...(id === undefined ? {} : { id }) }
  }
  return new Hono<AppEnv>()
    .post('/files', (c) => manager.upload(askOf(c)))
    .get('/files', async (c) => c.body(await manager.list(askOf(c), c.req.query()), 200, JSON_TYPE))
    .get('/files/:id', (c) => manager.read(askOf(c)))
    .get('/files/:id/content', (c) => manager.content(askOf(c)))
    .delete('/files/:id', (c) => manager.remove(askOf(c)))
}
