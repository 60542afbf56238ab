// The models that Claude offers, less those that the key may not use.
import { Hono } from 'hono'
import type { AppEnv } from '../app.ts'
import { answerCall } from '../flows/answer-call.ts'
import { filterModels } from '../flows/filter-models.ts'
import type { CallReader } from '../flows/read-call.ts'
import type { Services } from '../ports.ts'

export const models = (services: Services, readCall: CallReader) => {
  return new Hono<AppEnv>()
    .get('/models', async (c) => {
      const call = await readCall('models', c.req.raw, c.get('scope'))
      return filterModels(call.caller, await answerCall(services, call))
    })
    .get('/models/:id', async (c) => {
      const call = await readCall('models', c.req.raw, c.get('scope'), c.req.param('id'))
      return answerCall(services, call)
    })
}
