// Asking Claude to keep a request's prefix: one `cache_control` for the whole, where the caller set none, a marker is
// left, and the prefix is long enough for the model to keep at all (Claude's docs on prompt caching).
import { CLOSE_OBJECT } from './json-tokens.ts'
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

/** Whether a marker of ours is of use and breaks nothing. */
export function mayMarkAll(read: ReadPrompt): boolean {
  const { markers, model, prompt } = read
  return (
    !markers.forAll &&
    markers.at.length < MOST_MARKERS &&
    mostTokens(prompt) >= leastTokens(model) &&
    !hasHourInMessages(read)
  )
}

const BYTES_PER_TOKEN = 4

/** Images count by their bytes, which is far too much: Claude keeps nothing of too short a prefix, and says nothing. */
const mostTokens = ({ tools, system, messages }: PromptSpans): number =>
  [tools, system, messages].reduce((sum, span) => sum + (span ? span.end - span.start : 0), 0) /
  BYTES_PER_TOKEN

/** What a marker's value is at most, its spaces included. */
const MARKER_BYTES = 64
const HOUR = /^[^}]*"1h"/

/** Claude refuses a marker for all where its last block has one of another time: those in messages may be such. */
function hasHourInMessages({ body, markers, prompt }: ReadPrompt): boolean {
  const { messages } = prompt
  return markers.at.some((at) => {
    if (messages === null || at < messages.start || at > messages.end) return false
    return HOUR.test(String.fromCharCode(...body.subarray(at, at + MARKER_BYTES)))
  })
}

const MARKER = Uint8Array.from(',"cache_control":{"type":"ephemeral"}', (char) =>
  char.charCodeAt(0),
)

/** The body of a request with the marker as its last field: every byte before it stays where it is. */
export function markAll(body: Uint8Array): Uint8Array {
  const end = body.lastIndexOf(CLOSE_OBJECT)
  const marked = new Uint8Array(body.length + MARKER.length)
  marked.set(body.subarray(0, end))
  marked.set(MARKER, end)
  marked.set(body.subarray(end), end + MARKER.length)
  return marked
}
