// POST /v1/messages/count_tokens.
import type { Exchange } from './exchange.ts'
import { parseJson } from './read-body.ts'
import { contextOf } from './request-context.ts'
import { sendValue } from './respond.ts'
import { countInputTokens } from './tokens.ts'
import { validateCount } from './validate-request.ts'

export function postCountTokens(exchange: Exchange): void {
  const context = contextOf(exchange)
  const request = validateCount(parseJson(exchange), context)
  exchange.entry.model = request.model
  const beta = context.betas.length > 0 ? { context_management: null } : {}
  sendValue(exchange, { input_tokens: countInputTokens(request), ...beta })
}
