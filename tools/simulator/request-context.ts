// What the headers of a request say about how to read it.
import type { Exchange } from './exchange.ts'
import { checkVersion, type RequestContext } from './validate-request.ts'

export function contextOf(exchange: Exchange): RequestContext {
  const { headers } = exchange.req
  const version = headers['anthropic-version']
  const betas = headers['anthropic-beta']
  return {
    version: checkVersion(typeof version === 'string' ? version : undefined),
    betas: typeof betas === 'string' ? betas.split(',').map((beta) => beta.trim()) : [],
  }
}
