// The admin plane, `/admin/v1`: one door for all of its routes, and no answer of it is kept by anyone.
import { Hono, type MiddlewareHandler } from 'hono'
import { GatewayError } from '../../core/errors.ts'
import { createAnswerOnce } from '../../flows/admin/answer-once.ts'
import { createAdminGuard, openAdminRequest } from '../../flows/admin/open-admin.ts'
import type { Services } from '../../ports.ts'
import type { AnswerCache } from '../../flows/caching/answer-cache.ts'
import { accounts } from './accounts.ts'
import type { AdminEnv } from './admin-env.ts'
import { adminCache } from './cache.ts'
import { events } from './events.ts'
import { adminJobs } from './jobs.ts'
import { keys } from './keys.ts'
import { tenants } from './tenants.ts'
import { tiers } from './tiers.ts'
import { adminUsage } from './usage.ts'
import { webhooks } from './webhooks.ts'

export const admin = (services: Services, cache: AnswerCache) => {
  const answerOnce = createAnswerOnce(services)
  return new Hono<AdminEnv>()
    .use(neverCached)
    .use(door(services))
    .route('/', tenants(services, answerOnce))
    .route('/', keys(services, answerOnce))
    .route('/', accounts(services, answerOnce))
    .route('/', tiers())
    .route('/', adminUsage(services))
    .route('/', adminJobs(services))
    .route('/', adminCache(services, cache))
    .route('/', events())
    .route('/', webhooks(services, answerOnce))
}

const neverCached: MiddlewareHandler<AdminEnv> = async (c, next) => {
  await next()
  c.res.headers.set('cache-control', 'no-store')
}

const door = (services: Services): MiddlewareHandler<AdminEnv> => {
  const guard = createAdminGuard(services)
  return async (c, next) => {
    // Names of ours need no escapes: one in the path is a trick or a mistake, and means no route.
    if (pathOf(c.req.url).includes('%')) {
      throw new GatewayError('route_unknown', `${c.req.method} ${c.req.path}: no such route`)
    }
    const scope = c.get('scope')
    const startedAt = services.now()
    const actor = await guard(c.req.raw.headers)
    scope.timing.authMs = services.now() - startedAt
    const admin = openAdminRequest(services, scope, { actor, request: c.req.raw })
    c.set('admin', admin)
    await next()
    if (c.error instanceof GatewayError && c.error.reason === 'store_unavailable') {
      services.log({
        event: 'admin_store_failed',
        request_id: scope.requestId,
        error: String(c.error.cause),
      })
    }
    const bookmark = admin.session.bookmark()
    if (bookmark !== null) c.res.headers.set('sluice-bookmark', bookmark)
  }
}

const pathOf = (url: string): string => /^[^?#]*/.exec(url)?.[0] ?? ''
