// What an answer will be, decided before its first byte: blocks, stop reason, usage. Streamed and
// plain answers are two printings of one plan, so they always agree.
import type { JsonObject } from './json.ts'
import type { InputUsage } from './prompt-cache.ts'

export type PlannedBlock =
  | { type: 'text'; text: string; citations: JsonObject[] | null; tokens: number }
  | { type: 'thinking'; thinking: string; shown: string; signature: string; tokens: number }
  | { type: 'redacted_thinking'; data: string; tokens: number }
  | {
      type: 'tool_use'
      id: string
      name: string
      input: unknown
      json: string
      tokens: number
    }

export interface AnswerPlan {
  id: string
  model: string
  blocks: PlannedBlock[]
  stopReason: string
  stopSequence: string | null
  stopDetails: JsonObject | null
  usage: InputUsage
  serviceTier: string
  outputTokens: number
  thinkingTokens: number
  /** Milliseconds between deltas asked for by a marker. */
  gapMs: number | undefined
  deltas: number | undefined
  stamp: boolean
}

export function contentOf(block: PlannedBlock): JsonObject {
  switch (block.type) {
    case 'text':
      return block.citations === null
        ? { type: 'text', text: block.text }
        : { type: 'text', text: block.text, citations: block.citations }
    case 'thinking':
      return { type: 'thinking', thinking: block.shown, signature: block.signature }
    case 'redacted_thinking':
      return { type: 'redacted_thinking', data: block.data }
    case 'tool_use':
      return { type: 'tool_use', id: block.id, name: block.name, input: block.input }
  }
}

export function usageOfPlan(plan: AnswerPlan, outputTokens: number): JsonObject {
  const details =
    plan.thinkingTokens > 0
      ? { output_tokens_details: { thinking_tokens: plan.thinkingTokens } }
      : {}
  return {
    ...plan.usage,
    output_tokens: outputTokens,
    ...details,
    service_tier: plan.serviceTier,
    inference_geo: 'global',
  }
}

export function messageOf(plan: AnswerPlan): JsonObject {
  return {
    model: plan.model,
    id: plan.id,
    type: 'message',
    role: 'assistant',
    content: plan.blocks.map(contentOf),
    stop_reason: plan.stopReason,
    stop_sequence: plan.stopSequence,
    stop_details: plan.stopDetails,
    usage: usageOfPlan(plan, plan.outputTokens),
  }
}
