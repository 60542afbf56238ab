// Prints a planned answer as Claude's server-sent events: pings, padding inside the JSON, several
// deltas a block, and the pace of the model between them.
import { contentOf, usageOfPlan, type AnswerPlan, type PlannedBlock } from './answer-plan.ts'
import { chunksOf, gapMs, stampNow, type StreamStyle } from './chunking.ts'
import type { Piece } from './delivery.ts'
import { estimateTokens } from './tokens.ts'

const PADDING_WIDTH = 15
const UNPADDED_SHARE = 0.08
const PING_SHARE = 0.02
const PING = 'event: ping\ndata: {"type": "ping"}\n\n'

export function* messageEvents(plan: AnswerPlan, style: StreamStyle): Generator<Piece> {
  const started = plan.outputTokens > 0 ? 1 : 0
  const message = {
    model: plan.model,
    id: plan.id,
    type: 'message',
    role: 'assistant',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    usage: usageOfPlan({ ...plan, thinkingTokens: 0 }, started),
  }
  yield event(style, 'message_start', `"message":${JSON.stringify(message)}`)
  let sinceDecoration = 0
  for (const [index, block] of plan.blocks.entries()) {
    for (const piece of blockEvents(plan, { block, index }, style)) {
      yield piece
      sinceDecoration++
      yield* decorations(style, sinceDecoration)
    }
    if (index === 0 && style.faults.pingEvery === undefined) yield bare(PING)
  }
  yield event(style, 'message_delta', deltaBody(plan))
  yield event(style, 'message_stop', '')
}

function deltaBody(plan: AnswerPlan): string {
  const { cache_creation: _split, ...input } = plan.usage
  const details =
    plan.thinkingTokens > 0
      ? { output_tokens_details: { thinking_tokens: plan.thinkingTokens } }
      : {}
  const delta = {
    stop_reason: plan.stopReason,
    stop_sequence: plan.stopSequence,
    stop_details: plan.stopDetails,
  }
  const usage = { ...input, output_tokens: plan.outputTokens, ...details }
  return `"delta":${JSON.stringify(delta)},"usage":${JSON.stringify(usage)}`
}

function* decorations(style: StreamStyle, count: number): Generator<Piece> {
  const { faults, random } = style
  if (faults.unknown === 'event' && count % 3 === 1) {
    yield event(style, 'sim_unknown', '"note":"an event that no client knows"')
  }
  const every = faults.pingEvery
  const due = every === undefined ? random.chance(PING_SHARE) : count % every === 0
  if (due) yield bare(PING)
}

interface Placed {
  block: PlannedBlock
  index: number
}

function* blockEvents(plan: AnswerPlan, placed: Placed, style: StreamStyle): Generator<Piece> {
  const { block, index } = placed
  const at = `"index":${index}`
  yield event(style, 'content_block_start', `${at},"content_block":${emptyBlock(block)}`)
  let left = block.tokens
  const delta = (kind: string, body: string, tokens: number): Piece => {
    left -= tokens
    const text = `${at},"delta":{"type":"${kind}",${body}}`
    const piece = event(style, 'content_block_delta', text)
    return { ...piece, tokens, delayMs: gapMs(plan, style, tokens) }
  }
  switch (block.type) {
    case 'text':
      for (const text of chunksOf(block.text, plan, style)) {
        const tokens = Math.min(left, estimateTokens(text))
        const piece = delta('text_delta', `"text":${JSON.stringify(text)}`, tokens)
        yield plan.stamp ? { ...piece, data: () => stampedDelta(index) } : piece
      }
      for (const citation of block.citations ?? []) {
        yield delta('citations_delta', `"citation":${JSON.stringify(citation)}`, 0)
      }
      break
    case 'thinking':
      for (const text of chunksOf(block.shown, plan, style)) {
        const tokens = Math.min(left, estimateTokens(text))
        yield delta('thinking_delta', `"thinking":${JSON.stringify(text)}`, tokens)
      }
      yield delta('signature_delta', `"signature":${JSON.stringify(block.signature)}`, left)
      break
    case 'tool_use':
      yield delta('input_json_delta', '"partial_json":""', 0)
      for (const text of chunksOf(block.json, plan, style)) {
        const tokens = Math.min(left, estimateTokens(text))
        yield delta('input_json_delta', `"partial_json":${JSON.stringify(text)}`, tokens)
      }
      break
    case 'redacted_thinking':
      break
  }
  if (style.faults.unknown === 'delta') yield delta('sim_delta', '"value":"unknown"', 0)
  // What rounding left over is still produced.
  yield { ...event(style, 'content_block_stop', at), tokens: left }
}

function stampedDelta(index: number): string {
  const delta = `{"type":"text_delta","text":"t=${stampNow()} "}`
  return `event: content_block_delta\ndata: {"type":"content_block_delta","index":${index},"delta":${delta}}\n\n`
}

function emptyBlock(block: PlannedBlock): string {
  switch (block.type) {
    case 'text':
      return block.citations === null
        ? '{"type":"text","text":""}'
        : '{"type":"text","text":"","citations":[]}'
    case 'thinking':
      return '{"type":"thinking","thinking":"","signature":""}'
    case 'redacted_thinking':
      return JSON.stringify(contentOf(block))
    case 'tool_use':
      return JSON.stringify({ ...contentOf(block), input: {} })
  }
}

function event(style: StreamStyle, name: string, body: string): Piece {
  const comma = body === '' ? '' : ','
  return bare(`event: ${name}\ndata: {"type":"${name}"${comma}${body}${padding(style)}}\n\n`)
}

function bare(data: string): Piece {
  return { data, delayMs: 0, events: 1, tokens: 0 }
}

function padding({ random, faults }: StreamStyle): string {
  if (faults.padding === false || random.next() < UNPADDED_SHARE) return ''
  return ' '.repeat(1 + random.int(PADDING_WIDTH))
}
