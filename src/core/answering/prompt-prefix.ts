// What Claude's prompt cache would keep of a request: its tools and its system prompt, or, where they are too short to
// be cached alone, these and the first message. Requests that agree in it are best sent to the same account.
import type { Span } from './json-scan.ts'
import { hashBytes, mix } from './text-hash.ts'

/** The spans of the top-level fields; null where one is not there. */
export interface PromptSpans {
  readonly tools: Span | null
  readonly system: Span | null
  readonly messages: Span | null
}

/** 512 tokens: less is cached by no model. */
const LEAST_BYTES = 2_048
/** Prompts that agree in so much of each part are taken for the same: the worst that follows is a shared account. */
const MOST_BYTES = 4_096

/** null: nothing worth going anywhere for. */
export function hashPromptPrefix(body: Uint8Array, spans: PromptSpans): string | null {
  if (body.length < LEAST_BYTES) return null
  const { tools, system, messages } = spans
  let hash = hashPart(body, tools, hashPart(body, system, undefined))
  if (lengthOf(tools) + lengthOf(system) < LEAST_BYTES) {
    hash = hashPart(body, messages === null ? null : firstOf(body, messages), hash)
  }
  return mix(hash).toString(36)
}

const lengthOf = (span: Span | null): number => (span === null ? 0 : span.end - span.start)

const hashPart = (body: Uint8Array, span: Span | null, from: number | undefined): number =>
  hashBytes(
    span === null
      ? new Uint8Array(1)
      : body.subarray(span.start, Math.min(span.end, span.start + MOST_BYTES)),
    from,
  )

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c

/** The first element of an array that is known to be valid JSON. */
function firstOf(body: Uint8Array, { start, end }: Span): Span {
  let depth = 0
  let inText = false
  const most = Math.min(end, start + MOST_BYTES)
  for (let at = start + 1; at < most; at += 1) {
    const byte = body[at] ?? 0
    if (inText) {
      if (byte === BACKSLASH) at += 1
      else if (byte === QUOTE) inText = false
    } else if (byte === QUOTE) inText = true
    else if (byte === 0x7b || byte === 0x5b) depth += 1
    else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1
      if (depth < 0) return { start, end: at }
    } else if (byte === COMMA && depth === 0) return { start, end: at }
  }
  return { start, end: most }
}
