// Anything thrown on the way becomes an answer in Claude's shape here, once.
import type { ErrorHandler, NotFoundHandler } from 'hono'
import type { AppEnv } from '../app.ts'
import { errorBody, errorHeaders, GatewayError } from '../core/errors.ts'
import { discardBody } from '../flows/read-body.ts'
import type { Services } from '../ports.ts'

export const reportErrors =
  (services: Services): ErrorHandler<AppEnv> =>
  async (error, c) => {
    const scope = c.get('scope')
    const failure = asGatewayError(error)
    if (failure.reason === 'internal_error') {
      services.log({
        event: 'internal_error',
        request_id: scope.requestId,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    }
    await discardBody(c.req.raw)
    return renderError(failure, scope.requestId, services)
  }

export const routeUnknown =
  (services: Services): NotFoundHandler<AppEnv> =>
  async (c) => {
    await discardBody(c.req.raw)
    const error = new GatewayError('route_unknown', `${c.req.method} ${c.req.path}: no such route`)
    return renderError(error, c.get('scope').requestId, services)
  }

function renderError(error: GatewayError, requestId: string, services: Services): Response {
  return new Response(JSON.stringify(errorBody(error, requestId)), {
    status: error.status,
    headers: {
      ...errorHeaders(error, services.config.retry.retryAfterMaxMs),
      ...error.headers,
    },
  })
}

const asGatewayError = (error: unknown): GatewayError =>
  error instanceof GatewayError
    ? error
    : new GatewayError('internal_error', 'Internal error', { cause: error })
