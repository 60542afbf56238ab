// What became of each request of a batch, made when it is asked for: the same batch always gives the
// same results, at half price and outside the caller's rate limits.
import { messageOf } from './answer-plan.ts'
import { ApiError, errorBody, invalid } from './api-error.ts'
import type { Batch, BatchItem, ItemFate } from './batches.ts'
import { textField, type JsonObject } from './json.ts'
import { lastPrompt } from './markers.ts'
import { planAnswer } from './plan-answer.ts'
import { hash32 } from './random.ts'
import type { ChatMessage } from './request-types.ts'
import { countInputTokens } from './tokens.ts'
import { validateMessages, type RequestContext } from './validate-request.ts'

export interface BatchContext {
  seed: number
  request: RequestContext
}

export function fateOf(batch: Batch, item: BatchItem, context: BatchContext): ItemFate {
  if (batch.cancelAtMs !== null && item.doneAtMs > batch.cancelAtMs) return 'canceled'
  const prompt = promptOf(item)
  if (prompt.includes('[sim:expire]')) return 'expired'
  if (prompt.includes('[sim:error]')) return 'errored'
  return problemOf(item, context) === undefined ? 'succeeded' : 'errored'
}

export function resultLine(
  batch: Batch,
  item: BatchItem,
  context: BatchContext,
): { line: string; message: JsonObject | undefined } {
  const fate = fateOf(batch, item, context)
  const message = fate === 'succeeded' ? succeed(batch, item, context) : undefined
  const problem = problemOf(item, context) ?? new ApiError(500, 'Internal server error')
  const result: JsonObject = { type: fate }
  if (message !== undefined) result['message'] = message
  if (fate === 'errored') result['error'] = errorBody(problem, null)
  const line = `${JSON.stringify({ custom_id: item.customId, result })}\n`
  return { line, message }
}

function succeed(batch: Batch, item: BatchItem, context: BatchContext): JsonObject {
  const request = validateMessages(item.params, context.request)
  const usage = {
    input_tokens: countInputTokens(request),
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
  }
  const n = hash32(`${batch.id}/${item.customId}`)
  return messageOf(planAnswer({ seed: context.seed, n, request, usage, serviceTier: 'batch' }))
}

/** Claude looks into the requests of a batch only once it runs, so a bad one is a result, not a 400. */
function problemOf(item: BatchItem, context: BatchContext): ApiError | undefined {
  try {
    if (item.params['stream'] === true) throw invalid('stream: a batch cannot be streamed')
    if (item.params['thread'] !== undefined) throw invalid('thread: a batch cannot use threads')
    validateMessages(item.params, context.request)
    return undefined
  } catch (error) {
    return error instanceof ApiError ? error : new ApiError(500, 'Internal server error')
  }
}

function promptOf(item: BatchItem): string {
  const messages = item.params['messages']
  if (!Array.isArray(messages)) return ''
  const sound = messages.filter((message) => textField(message, 'role') !== '')
  try {
    return lastPrompt(sound as ChatMessage[])
  } catch {
    return ''
  }
}
