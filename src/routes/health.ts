// Liveness and readiness. `/health` touches nothing; `/ready` asks each part and says how long it took.
import { Hono } from 'hono'
import type { AppEnv } from '../app.ts'
import { checkReadiness } from '../flows/check-readiness.ts'
import type { Services } from '../ports.ts'

export const health = (services: Services) =>
  new Hono<AppEnv>()
    .get('/health', (c) => c.json({ status: 'ok' }))
    // Claude Code asks whether the API is there before it starts.
    .get('/api/hello', (c) => c.json({ message: 'hello' }))
    .get('/ready', async (c) => {
      const readiness = await checkReadiness(services)
      return c.json(readiness, readiness.ready ? 200 : 503)
    })
