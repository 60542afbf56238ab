// Browsers: a preflight carries no key, so it is answered for an origin that some tenant or living token
// allows. The request itself is held to its own tenant's or token's origins where it is authenticated.
import type { MiddlewareHandler } from 'hono'
import type { AppEnv } from '../app.ts'
import { GatewayError } from '../core/errors.ts'
import type { OriginCheck } from '../flows/check-origin.ts'

const METHODS = 'GET, POST, PATCH, DELETE, HEAD, OPTIONS'
const ALLOWED_HEADERS = [
  'accept',
  'anthropic-beta',
  'anthropic-dangerous-direct-browser-access',
  'anthropic-version',
  'authorization',
  'cache-control',
  'content-type',
  'idempotency-key',
  'prefer',
  'sluice-cache-scope',
  'sluice-cache-tags',
  'sluice-cache-ttl',
  'sluice-lane',
  'sluice-max-wait-ms',
  'sluice-session',
  'sluice-user',
  'traceparent',
  'x-api-key',
]
/** Open lists: what Claude's SDKs may add tomorrow. `*` would not cover `authorization`. */
const ALLOWED_PREFIXES = ['anthropic-', 'x-stainless-', 'x-claude-code-', 'sluice-']
const EXPOSED_HEADERS = [
  'request-id',
  'sluice-upstream-request-id',
  'sluice-trace-id',
  'sluice-account',
  'sluice-attempts',
  'sluice-queued-ms',
  'sluice-session',
  'sluice-turn',
  'sluice-reason',
  'cache-status',
  'sluice-cache-key',
  'preference-applied',
  'location',
  'age',
  'ratelimit-policy',
  'ratelimit',
  'retry-after',
  'x-should-retry',
  'server-timing',
  ...['requests', 'tokens', 'input-tokens', 'output-tokens'].flatMap((dimension) =>
    ['limit', 'remaining', 'reset'].map((part) => `anthropic-ratelimit-${dimension}-${part}`),
  ),
  ...['status', 'representative-claim', 'reset'].map(
    (part) => `anthropic-ratelimit-unified-${part}`,
  ),
  ...['5h', '7d'].flatMap((window) =>
    ['status', 'reset', 'utilization'].map(
      (part) => `anthropic-ratelimit-unified-${window}-${part}`,
    ),
  ),
].join(', ')
const PREFLIGHT_MAX_AGE_SECONDS = '600'

export const cors =
  (origins: OriginCheck): MiddlewareHandler<AppEnv> =>
  async (c, next) => {
    const origin = c.req.header('origin')
    if (origin === undefined) return next()
    const allowed = await origins.isAllowed(origin)
    const requested = c.req.header('access-control-request-method')
    if (c.req.method === 'OPTIONS' && requested !== undefined) {
      if (!allowed)
        throw new GatewayError(
          'origin_not_allowed',
          `No tenant and no token allows ${quote(origin)}`,
        )
      c.res = new Response(null, {
        status: 204,
        headers: {
          'access-control-allow-methods': METHODS,
          'access-control-allow-headers': allowHeaders(
            c.req.header('access-control-request-headers') ?? '',
          ),
          'access-control-max-age': PREFLIGHT_MAX_AGE_SECONDS,
          vary: 'access-control-request-headers',
        },
      })
    } else {
      await next()
    }
    const headers = c.res.headers
    headers.append('vary', 'origin')
    if (!allowed) return
    headers.set('access-control-allow-origin', origin)
    headers.set('access-control-expose-headers', EXPOSED_HEADERS)
  }

/** The fixed list, and those asked for that fit an open list. */
function allowHeaders(requested: string): string {
  const more = requested
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter(
      (name) =>
        /^[a-z0-9-]+$/.test(name) && ALLOWED_PREFIXES.some((prefix) => name.startsWith(prefix)),
    )
  return [...new Set([...ALLOWED_HEADERS, ...more])].join(', ')
}

const quote = (origin: string): string => JSON.stringify(origin.slice(0, 200))
