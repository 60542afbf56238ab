// Which route answers. Written out by hand: a dozen paths need no router, and this one costs nothing.
import { ApiError, notFound } from './api-error.ts'
import { postCountTokens } from './count-route.ts'
import type { Exchange } from './exchange.ts'
import { postMessages } from './messages-route.ts'
import { getModel, listModels } from './models-route.ts'

type Answer = void | Promise<void>

export function route(exchange: Exchange): Answer {
  const { path } = exchange
  const method = exchange.req.method ?? 'GET'
  switch (`${method} ${path}`) {
    case 'POST /v1/messages':
      return postMessages(exchange)
    case 'POST /v1/messages/count_tokens':
      return postCountTokens(exchange)
    case 'GET /v1/models':
      return listModels(exchange)
    default:
      return routeWithId(exchange, method)
  }
}

function routeWithId(exchange: Exchange, method: string): Answer {
  const [, version, kind, id] = exchange.path.split('/')
  if (version === 'v1' && kind === 'models' && id !== undefined && method === 'GET') {
    return getModel(exchange, decodeURIComponent(id))
  }
  if (KNOWN_PATHS.has(exchange.path)) throw new ApiError(405, 'Method Not Allowed')
  throw notFound('Not found')
}

const KNOWN_PATHS: ReadonlySet<string> = new Set([
  '/v1/messages',
  '/v1/messages/count_tokens',
  '/v1/models',
])
