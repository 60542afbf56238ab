// Claude's own batch routes, all six, each batch its tenant's own.
import { type Context, Hono } from 'hono'
import type { AppEnv } from '../app.ts'
import type { Identifier } from '../flows/identify.ts'
import { BatchManager } from '../flows/owned/manage-batches.ts'
import type { Services } from '../ports.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

export const batches = (services: Services, identify: Identifier) => {
  const manager = new BatchManager(services, identify)
  const askOf = (c: Context<AppEnv>) => {
    const id = c.req.param('id')
    return { request: c.req.raw, scope: c.get('scope'), ...(id === undefined ? {} : { id }) }
  }
  return new Hono<AppEnv>()
    .post('/messages/batches', (c) => manager.create(askOf(c)))
    .get('/messages/batches', async (c) =>
      c.body(await manager.list(askOf(c), c.req.query()), 200, JSON_TYPE),
    )
    .get('/messages/batches/:id', (c) => manager.read(askOf(c)))
    .get('/messages/batches/:id/results', (c) => manager.results(askOf(c)))
    .post('/messages/batches/:id/cancel', (c) => manager.cancel(askOf(c)))
    .delete('/messages/batches/:id', (c) => manager.remove(askOf(c)))
}
