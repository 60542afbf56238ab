// Prints a planned answer as an OpenAI chat completion, whole or as chunks.
import type { AnswerPlan, PlannedBlock } from './answer-plan.ts'
import { chunksOf, gapMs, type StreamStyle } from './chunking.ts'
import type { Piece } from './delivery.ts'
import type { JsonObject } from './json.ts'
import { estimateTokens } from './tokens.ts'

const FINISH_REASONS: Record<string, string> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  pause_turn: 'stop',
  max_tokens: 'length',
  tool_use: 'tool_calls',
  refusal: 'content_filter',
}

export interface CompletionStyle extends StreamStyle {
  createdAtSeconds: number
  includeUsage: boolean
}

export function completionOf(plan: AnswerPlan, createdAtSeconds: number): JsonObject {
  const text = plan.blocks.map((block) => (block.type === 'text' ? block.text : '')).join('')
  const calls = plan.blocks.filter((block) => block.type === 'tool_use').map(toolCall)
  const message: JsonObject = { role: 'assistant', content: text === '' ? null : text }
  if (calls.length > 0) message['tool_calls'] = calls
  return {
    id: plan.id,
    object: 'chat.completion',
    created: createdAtSeconds,
    model: plan.model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason(plan) }],
    usage: usageOf(plan),
  }
}

export function* completionChunks(plan: AnswerPlan, style: CompletionStyle): Generator<Piece> {
  const chunk = (delta: JsonObject, finish: string | null = null): Piece =>
    piece(plan, style, { choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] })
  yield chunk({ role: 'assistant', content: '' })
  let callIndex = 0
  for (const block of plan.blocks) {
    if (block.type === 'text') yield* textChunks(block, plan, style)
    else if (block.type === 'tool_use') {
      const call = { index: callIndex++, ...toolCall(block) }
      yield { ...chunk({ tool_calls: [call] }), tokens: block.tokens }
    }
  }
  yield chunk({}, finishReason(plan))
  if (style.includeUsage) yield piece(plan, style, { choices: [], usage: usageOf(plan) })
  yield { data: 'data: [DONE]\n\n', delayMs: 0, events: 1, tokens: 0 }
}

function* textChunks(
  block: PlannedBlock & { type: 'text' },
  plan: AnswerPlan,
  style: CompletionStyle,
): Generator<Piece> {
  let left = block.tokens
  for (const text of chunksOf(block.text, plan, style)) {
    const tokens = Math.min(left, estimateTokens(text))
    left -= tokens
    const delta = { content: text }
    const choices = [{ index: 0, delta, logprobs: null, finish_reason: null }]
    const delayMs = gapMs(plan, style, tokens)
    yield { ...piece(plan, style, { choices }), tokens, delayMs }
  }
}

function piece(plan: AnswerPlan, style: CompletionStyle, body: JsonObject): Piece {
  const chunk = {
    id: plan.id,
    object: 'chat.completion.chunk',
    created: style.createdAtSeconds,
    model: plan.model,
    ...body,
  }
  return { data: `data: ${JSON.stringify(chunk)}\n\n`, delayMs: 0, events: 1, tokens: 0 }
}

function toolCall(block: PlannedBlock & { type: 'tool_use' }): JsonObject {
  return { id: block.id, type: 'function', function: { name: block.name, arguments: block.json } }
}

function finishReason(plan: AnswerPlan): string {
  return FINISH_REASONS[plan.stopReason] ?? 'stop'
}

function usageOf(plan: AnswerPlan): JsonObject {
  const { usage } = plan
  const prompt =
    usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens
  return {
    prompt_tokens: prompt,
    completion_tokens: plan.outputTokens,
    total_tokens: prompt + plan.outputTokens,
  }
}
