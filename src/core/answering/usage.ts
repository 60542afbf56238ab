// What an answer used, in Claude's own counts. A stream's come at its start and, cumulative, at its end; where the end
// never comes, what was produced is counted by us and marked as an estimate.

export interface Tokens {
  /** Input that neither came from the prompt cache nor was written to it. */
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheWrite5mTokens: number
  readonly cacheWrite1hTokens: number
  readonly cacheReadTokens: number
}

export interface Usage extends Tokens {
  /** The part that a compaction on Claude's side took: billed too, and named apart from the totals there. */
  readonly compaction: Tokens
  /** Inference held to the United States has its own price. */
  readonly usOnly: boolean
  readonly estimated: boolean
}

/** Bytes of UTF-8 that one token stands for, where we have to count by ourselves. */
const BYTES_PER_TOKEN = 4
/** More is garbage: no context is a thousandth of it. It keeps every sum of money exact. */
const MAX_TOKENS = 1_000_000_000

type Fields = Readonly<Record<string, unknown>>

/** `usage` of a Messages answer, or of one of its stream's events laid over what earlier events said. */
export function readUsage(value: unknown, before: Usage = none): Usage {
  const usage = fieldsOf(value)
  const { iterations } = usage
  const compaction = Array.isArray(iterations) ? sumCompaction(iterations) : before.compaction
  const own = readTokens(usage, combine(before, before.compaction, -1))
  const geo = usage['inference_geo']
  return {
    ...combine(own, compaction, 1),
    compaction,
    usOnly: typeof geo === 'string' ? geo === 'us' : before.usOnly,
    estimated: before.estimated,
  }
}

function readTokens(usage: Fields, before: Tokens): Tokens {
  const creation = fieldsOf(usage['cache_creation'])
  const written = count(usage['cache_creation_input_tokens'])
  const hour = count(creation['ephemeral_1h_input_tokens']) ?? before.cacheWrite1hTokens
  const minutes = count(creation['ephemeral_5m_input_tokens'])
  return {
    inputTokens: count(usage['input_tokens']) ?? before.inputTokens,
    outputTokens: count(usage['output_tokens']) ?? before.outputTokens,
    cacheWrite1hTokens: hour,
    // What is not said to be for an hour is for five minutes, as it was before the split came.
    cacheWrite5mTokens:
      minutes ?? (written === null ? before.cacheWrite5mTokens : Math.max(0, written - hour)),
    cacheReadTokens: count(usage['cache_read_input_tokens']) ?? before.cacheReadTokens,
  }
}

const sumCompaction = (iterations: readonly unknown[]): Tokens =>
  iterations
    .map(fieldsOf)
    .filter((iteration) => iteration['type'] === 'compaction')
    .reduce((sum: Tokens, iteration) => combine(sum, readTokens(iteration, noTokens), 1), noTokens)

const combine = (a: Tokens, b: Tokens, sign: 1 | -1): Tokens => ({
  inputTokens: a.inputTokens + sign * b.inputTokens,
  outputTokens: a.outputTokens + sign * b.outputTokens,
  cacheWrite5mTokens: a.cacheWrite5mTokens + sign * b.cacheWrite5mTokens,
  cacheWrite1hTokens: a.cacheWrite1hTokens + sign * b.cacheWrite1hTokens,
  cacheReadTokens: a.cacheReadTokens + sign * b.cacheReadTokens,
})

/** `usage` of an answer of the OpenAI-compatible route, whose prompt count includes what came from the cache. */
export function readOpenAiUsage(value: unknown): Usage | null {
  const usage = fieldsOf(value)
  const prompt = count(usage['prompt_tokens'])
  const completion = count(usage['completion_tokens'])
  if (prompt === null || completion === null) return null
  const said = count(fieldsOf(usage['prompt_tokens_details'])['cached_tokens']) ?? 0
  const cached = Math.min(said, prompt)
  return {
    ...none,
    inputTokens: prompt - cached,
    outputTokens: completion,
    cacheReadTokens: cached,
  }
}

export const tokensOfBytes = (bytes: number): number => Math.ceil(bytes / BYTES_PER_TOKEN)

/** Counts what a stream produced, for the case that its end does not come. */
export function estimateOutput(before: Usage, producedBytes: number): Usage {
  const produced = tokensOfBytes(producedBytes)
  return { ...before, outputTokens: Math.max(before.outputTokens, produced), estimated: true }
}

/** A tool call's name, id and frame, in bytes: measured on recorded streams, 40 to 60 tokens beside a short input. */
const TOOL_CALL_BYTES = 160

/**
 * Text, thinking and tool input that a `content_block_delta` adds, in bytes of UTF-8; and, for a
 * `content_block_start`, what the frame of a tool call amounts to.
 */
export function producedBytesOf(event: unknown): number {
  const fields = fieldsOf(event)
  const delta = fieldsOf(fields['delta'])
  let bytes = 0
  for (const name of ['text', 'thinking', 'partial_json']) {
    const text = delta[name]
    if (typeof text === 'string') bytes += utf8Length(text)
  }
  const block = fieldsOf(fields['content_block'])['type']
  return typeof block === 'string' && block.endsWith('tool_use') ? bytes + TOOL_CALL_BYTES : bytes
}

const noTokens: Tokens = {
  inputTokens: 0,
  outputTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
  cacheReadTokens: 0,
}

export const none: Usage = { ...noTokens, compaction: noTokens, usOnly: false, estimated: false }

export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null ? (value as Fields) : {}

const count = (value: unknown): number | null =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_TOKENS
    ? value
    : null

export function utf8Length(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i)
    if (code < 0x80) continue
    // A surrogate pair is two units and four bytes.
    bytes += code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 1 : 2
  }
  return bytes
}
