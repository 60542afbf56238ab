// Decides what to answer: thinking, text, tool calls, refusals, and where they are cut by `max_tokens`
// or a stop sequence. All by seed and request, so the same request gets the same answer.
import type { AnswerPlan, PlannedBlock } from './answer-plan.ts'
import { valueFor } from './generate-json.ts'
import { textAbout, textOfTokens } from './generate-text.ts'
import { isObject, type JsonObject } from './json.ts'
import { lastPrompt, readMarkers, type Markers } from './markers.ts'
import { planCitations } from './plan-citations.ts'
import { toolCalls } from './plan-tools.ts'
import type { InputUsage } from './prompt-cache.ts'
import { hash32, mix, Random } from './random.ts'
import type { MessagesRequest } from './request-types.ts'
import { sealRedacted, signThinking } from './signature.ts'
import { cutToTokens, estimateTokens } from './tokens.ts'

const TYPICAL_TOKENS = 70
const SEED_TEXT = 4_000

interface Draft {
  request: MessagesRequest
  prompt: string
  markers: Markers
  random: Random
  /** Ids differ between two equal requests, so they have their own source. */
  ids: Random
}

export interface PlanInput {
  seed: number
  n: number
  request: MessagesRequest
  usage: InputUsage
  serviceTier?: string
}

export function planAnswer(input: PlanInput): AnswerPlan {
  const { request } = input
  const prompt = lastPrompt(request.messages)
  const draft: Draft = {
    request,
    prompt,
    markers: readMarkers(prompt),
    random: new Random(seedOf(input.seed, request, prompt)),
    ids: new Random(mix(input.seed, input.n, 1)),
  }
  const id = `msg_01${draft.ids.base62(22)}`
  const drafted = draftBlocks(draft)
  const cut = cutBlocks(drafted.blocks, request.max_tokens)
  const thinking = cut.blocks.filter((block) => block.type === 'thinking')
  return {
    id,
    model: request.model,
    blocks: cut.blocks,
    stopReason: cut.wasCut ? 'max_tokens' : drafted.stopReason,
    stopSequence: cut.wasCut ? null : drafted.stopSequence,
    stopDetails: drafted.stopDetails,
    usage: input.usage,
    serviceTier: input.serviceTier ?? 'standard',
    outputTokens: sum(cut.blocks),
    thinkingTokens: sum(thinking),
    gapMs: draft.markers.gapMs,
    deltas: draft.markers.deltas,
    stamp: draft.markers.stamp ?? false,
  }
}

/** The text of an answer depends on the request alone, not on when it came. */
function seedOf(seed: number, request: MessagesRequest, prompt: string): number {
  const shape = `${request.model}|${request.messages.length}|${prompt.length}|`
  const text = prompt.length <= SEED_TEXT ? prompt : prompt.slice(0, 2_000) + prompt.slice(-2_000)
  return mix(seed, hash32(text, hash32(shape)))
}

interface Drafted {
  blocks: PlannedBlock[]
  stopReason: string
  stopSequence: string | null
  stopDetails: JsonObject | null
}

function draftBlocks(draft: Draft): Drafted {
  const { markers, random, ids, request } = draft
  if (markers.refuse === true) return refusal(draft)
  const blocks = thinkingBlocks(draft)
  const calls = toolCalls({ request, prompt: draft.prompt, markers, random, ids })
  if (calls.length > 0) {
    if (random.chance(0.6)) blocks.push(textBlock(textAbout(random, draft.prompt, 8)))
    blocks.push(...calls)
    return { blocks, stopReason: 'tool_use', stopSequence: null, stopDetails: null }
  }
  const stopped = stopAt(answerText(draft), request.stop_sequences ?? [])
  const citations = markers.cite === true ? planCitations(request) : null
  if (stopped.text !== '') blocks.push({ ...textBlock(stopped.text), citations })
  const natural = markers.pause === true ? 'pause_turn' : 'end_turn'
  return {
    blocks,
    stopReason: stopped.sequence === null ? natural : 'stop_sequence',
    stopSequence: stopped.sequence,
    stopDetails: null,
  }
}

function refusal(draft: Draft): Drafted {
  const text = textAbout(draft.random, draft.prompt, 6)
  return {
    blocks: draft.random.chance(0.5) ? [textBlock(text)] : [],
    stopReason: 'refusal',
    stopSequence: null,
    stopDetails: {
      type: 'refusal',
      category: 'general_harms',
      explanation: 'The request was declined by the simulator on a marked prompt.',
    },
  }
}

function thinkingBlocks(draft: Draft): PlannedBlock[] {
  const { markers, random, request } = draft
  const blocks: PlannedBlock[] = []
  const mode = request.thinking?.type
  const on = mode === 'enabled' || (mode === 'adaptive' && random.chance(0.5))
  if (on || markers.thinking === true) {
    const budget = request.thinking?.budget_tokens ?? 2_000
    const thinking = textAbout(random, draft.prompt, Math.min(budget, 20 + random.int(60)))
    const shown = request.thinking?.display === 'omitted' ? '' : thinking
    blocks.push({
      type: 'thinking',
      thinking,
      shown,
      signature: signThinking(shown, random.base62(12)),
      tokens: estimateTokens(thinking),
    })
  }
  if (markers.redacted === true) {
    blocks.push({ type: 'redacted_thinking', data: sealRedacted(random.base62(12)), tokens: 12 })
  }
  return blocks
}

function answerText(draft: Draft): string {
  const { markers, random, prompt, request } = draft
  if (markers.text !== undefined) return markers.text
  const format = request.output_config?.format
  if (isObject(format) && format.type === 'json_schema') {
    return JSON.stringify(valueFor(random, format.schema))
  }
  const stop = markers.stop === true ? (request.stop_sequences?.[0] ?? '') : ''
  if (markers.tokens !== undefined) return textOfTokens(random, prompt, markers.tokens) + stop
  const tokens = Math.round(random.logNormal(TYPICAL_TOKENS, 0.6))
  return textAbout(random, prompt, Math.min(tokens, request.max_tokens + 1)) + stop
}

function stopAt(
  text: string,
  sequences: readonly string[],
): { text: string; sequence: string | null } {
  let at = -1
  let sequence: string | null = null
  for (const candidate of sequences) {
    const found = text.indexOf(candidate)
    if (found !== -1 && (at === -1 || found < at)) {
      at = found
      sequence = candidate
    }
  }
  return sequence === null ? { text, sequence } : { text: text.slice(0, at), sequence }
}

function textBlock(text: string): PlannedBlock & { type: 'text' } {
  return { type: 'text', text, citations: null, tokens: estimateTokens(text) }
}

/** Spends `max_tokens` over the blocks in order; what does not fit is cut, and the rest is gone. */
function cutBlocks(
  blocks: PlannedBlock[],
  maxTokens: number,
): { blocks: PlannedBlock[]; wasCut: boolean } {
  const kept: PlannedBlock[] = []
  let left = maxTokens
  for (const block of blocks) {
    if (block.tokens <= left) {
      kept.push(block)
      left -= block.tokens
      continue
    }
    const part = cutBlock(block, left)
    if (part !== undefined) kept.push(part)
    return { blocks: kept, wasCut: true }
  }
  return { blocks: kept, wasCut: maxTokens === 0 }
}

function cutBlock(block: PlannedBlock, tokens: number): PlannedBlock | undefined {
  if (tokens === 0) return undefined
  if (block.type === 'text') return textBlock(cutToTokens(block.text, tokens))
  if (block.type === 'thinking') {
    const thinking = cutToTokens(block.thinking, tokens)
    const shown = block.shown === '' ? '' : thinking
    const nonce = Buffer.from(block.signature, 'base64').toString().split('.')[0] ?? ''
    return { ...block, thinking, shown, signature: signThinking(shown, nonce), tokens }
  }
  if (block.type === 'tool_use') {
    return { ...block, input: {}, json: cutToTokens(block.json, tokens), tokens }
  }
  return undefined
}

function sum(blocks: readonly PlannedBlock[]): number {
  return blocks.reduce((tokens, block) => tokens + block.tokens, 0)
}
