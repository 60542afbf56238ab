// The response cache: invalidated, warmed, counted.
import { Hono } from 'hono'
import { invalidationBody } from '../../core/admin/cache-body.ts'
import type { AnswerCache } from '../../flows/caching/answer-cache.ts'
import { invalidateCache, readCacheStats, warmCache } from '../../flows/admin/manage-cache.ts'
import { expectOnly } from '../../flows/admin/pages.ts'
import { parseFields, readAdminBody } from '../../flows/admin/read-fields.ts'
import type { Services } from '../../ports.ts'
import type { AdminEnv } from './admin-env.ts'

export const adminCache = (services: Services, cache: AnswerCache) =>
  new Hono<AdminEnv>()
    .post('/cache/invalidate', async (c) => {
      const asked = parseFields(invalidationBody, await readAdminBody(c.req.raw))
      return c.json(await invalidateCache(services, c.get('admin'), asked))
    })
    .post('/cache/warm', async (c) => {
      const text = await readAdminBody(c.req.raw, services.config.bodyMaxBytes)
      parseFields((input) => input, text)
      const { session } = c.get('admin')
      return c.json(await warmCache(services, cache, { scope: c.get('scope'), text, session }))
    })
    .get('/cache/stats', async (c) => {
      expectOnly(c.req.query(), [])
      return c.json(await readCacheStats(services, cache))
    })
