// Asking Claude to keep a request's prefix: a `cache_control` for the whole, and where it may be one for the part that
// many requests share; where the caller set none, markers are left, and the prefix is long enough for the model to keep
// at all (Claude's docs on prompt caching).
import type { Span } from './json-scan.ts'
import { CLOSE_OBJECT, isSpace, OPEN_ARRAY, QUOTE } from './json-tokens.ts'
import type { PromptSpans } from './prompt-prefix.ts'

export interface CacheMarkers {
  /** The caller said himself what holds for the whole: `cache_control` at the top level, whatever its value. */
  readonly forAll: boolean
  /** Where the keys of the others end, in their order: four at most, which is what Claude takes. */
  readonly at: readonly number[]
}

/** A body whose facts are known. */
export interface ReadPrompt {
  readonly body: Uint8Array
  readonly model: string
  readonly markers: CacheMarkers
  readonly prompt: PromptSpans
}

/** Claude refuses a fifth. */
const MOST_MARKERS = 4

/** The least tokens of a prefix that is kept, by how a model's name begins; the longest match counts. */
const LEAST_TOKENS: readonly (readonly [string, number])[] = [
  ['claude-opus-4', 4096],
  ['claude-haiku-4', 4096],
  ['claude-haiku', 2048],
  ['claude-fable', 512],
  ['claude-mythos', 512],
]
const USUAL_LEAST_TOKENS = 1024

export function leastTokens(model: string): number {
  return LEAST_TOKENS.find(([start]) => model.startsWith(start))?.[1] ?? USUAL_LEAST_TOKENS
}

/** What we mark: all of it, or also, as an entry of its own, the tools and the system prompt that many may share. */
export type MarkedParts = 'all' | 'shared_too'

/** The markers that a body will have with ours; null: ours are of no use, or would break it. */
export function markersWithOurs(read: ReadPrompt, parts: MarkedParts): CacheMarkers | null {
  const { markers, model, prompt } = read
  const { tools, system, messages } = prompt
  if (markers.forAll || markers.at.length >= MOST_MARKERS || hasHourInMessages(read)) return null
  if (tokensOf(tools, system, messages) < leastTokens(model)) return null
  const own = parts === 'shared_too' ? sharedEnd(read) : null
  return { forAll: true, at: own === null ? markers.at : [own, ...markers.at] }
}

/** Where the part ends that requests of many have in common; null: it is too short, or its caller marks it himself. */
function sharedEnd({ body, model, markers, prompt }: ReadPrompt): number | null {
  const { tools, system } = prompt
  const last = system ?? tools
  if (last === null || markers.at.length > MOST_MARKERS - 2) return null
  if (tokensOf(tools, system) < leastTokens(model)) return null
  if (markers.at.some((at) => isWithin(at, tools) || isWithin(at, system))) return null
  return isText(body, last) || endsInBlock(body, last) ? last.end : null
}

const isWithin = (at: number, span: Span | null): boolean =>
  span !== null && at > span.start && at <= span.end

const isText = (body: Uint8Array, { start }: Span): boolean => body[start] === QUOTE

function endsInBlock(body: Uint8Array, { start, end }: Span): boolean {
  return body[start] === OPEN_ARRAY && body[lastBrace(body, end)] === CLOSE_OBJECT
}

/** Before an array's end, spaces left out. */
function lastBrace(body: Uint8Array, end: number): number {
  let at = end - 2
  while (isSpace(body[at])) at -= 1
  return at
}

const BYTES_PER_TOKEN = 4

/** Images count by their bytes, which is far too much: Claude keeps nothing of too short a prefix, and says nothing. */
const tokensOf = (...spans: readonly (Span | null)[]): number =>
  spans.reduce((sum, span) => sum + (span === null ? 0 : span.end - span.start), 0) /
  BYTES_PER_TOKEN

/** What a marker's value is at most, its spaces included. */
const MARKER_BYTES = 64
const HOUR = /^[^}]*"1h"/

/** Claude refuses a marker for all where its last block has one of another time: those in messages may be such. */
function hasHourInMessages({ body, markers, prompt }: ReadPrompt): boolean {
  const { messages } = prompt
  return markers.at.some((at) => {
    if (!isWithin(at, messages)) return false
    return HOUR.test(String.fromCharCode(...body.subarray(at, at + MARKER_BYTES)))
  })
}

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0))

const MARKER = bytesOf(',"cache_control":{"type":"ephemeral"}')
const OPEN_TEXT = bytesOf('[{"type":"text","text":')
const CLOSE_TEXT = bytesOf(',"cache_control":{"type":"ephemeral"}}]')

/** The body with our markers, its other bytes as they were; `ours` is what `markersWithOurs` gave. */
export function writeMarkers(
  { body, prompt, markers }: ReadPrompt,
  ours: CacheMarkers,
): Uint8Array {
  const end = body.lastIndexOf(CLOSE_OBJECT)
  const shared = ours.at.length > markers.at.length ? (prompt.system ?? prompt.tools) : null
  if (shared === null) return join([body.subarray(0, end), MARKER, body.subarray(end)])
  const tail = [body.subarray(shared.end, end), MARKER, body.subarray(end)]
  if (isText(body, shared)) {
    const text = body.subarray(shared.start, shared.end)
    return join([body.subarray(0, shared.start), OPEN_TEXT, text, CLOSE_TEXT, ...tail])
  }
  const brace = lastBrace(body, shared.end)
  return join([body.subarray(0, brace), MARKER, body.subarray(brace, shared.end), ...tail])
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
