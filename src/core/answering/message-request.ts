// What the gateway has to know of a request's body, read from its raw bytes. The bytes themselves go
// upstream, so whatever is checked here must be what Claude will see: a field of ours that comes twice is
// refused, since two parsers may disagree on which one counts. Unknown fields are Claude's to judge.
import { readFileIds } from './file-references.ts'
import { scanObject, type ObjectScan, type Span } from './json-scan.ts'
import type { CacheMarkers } from './prompt-marker.ts'
import type { PromptSpans } from './prompt-prefix.ts'
import { decodeUtf8 } from './utf8.ts'

/** The three routes whose bodies are alike. */
export type RequestShape = 'messages' | 'count_tokens' | 'chat_completions'

export interface MessageFacts {
  readonly model: string
  readonly stream: boolean
  /** null where the route has none or the caller gave none. */
  readonly maxTokens: number | null
  readonly thread: ThreadFacts | null
  /** `metadata.user_id`. */
  readonly userId: string | null
  readonly serviceTier: string | null
  /** `stream_options.include_usage` of chat/completions. */
  readonly includeUsage: boolean
  /** A guess before the call; the answer's usage tells. */
  readonly estimatedInputTokens: number
  /** Where the model's name stands, quotes included. */
  readonly modelSpan: Span
  readonly prompt: PromptSpans
  readonly markers: CacheMarkers
  /** Claude's files that it names. */
  readonly fileIds: readonly string[]
}

export type ThreadFacts =
  | { readonly kind: 'create' }
  | { readonly kind: 'continue'; readonly previousMessageId: string }
  /** A newer kind that we do not know: the gateway cannot promise to keep it on its account. */
  | { readonly kind: 'unknown' }

export type MessageRequest =
  | { readonly kind: 'ok'; readonly facts: MessageFacts }
  | {
      readonly kind: 'invalid'
      readonly reason: 'invalid_json' | 'invalid_request'
      readonly message: string
    }

const WANTED: ReadonlySet<string> = new Set([
  'model',
  'stream',
  'max_tokens',
  // The newer name in chat/completions.
  'max_completion_tokens',
  'messages',
  'system',
  'tools',
  'thread',
  'metadata',
  'service_tier',
  'stream_options',
  'cache_control',
  // Never a field of Claude's, and poison for a parser that copies keys into objects.
  '__proto__',
])

const MAX_TEXT_BYTES = 1024
const MAX_MODEL_CHARS = 256
const BYTES_PER_TOKEN = 4
/** What an image costs at most, whatever its size in bytes. */
const TOKENS_PER_IMAGE = 1600
const TYPICAL_IMAGE_BYTES = 200_000

export function scanMessageRequest(
  bytes: Uint8Array,
  shape: RequestShape = 'messages',
): MessageRequest {
  const scan = scanObject(bytes, WANTED)
  if (scan.kind === 'broken')
    return { kind: 'invalid', reason: 'invalid_json', message: whereBroken(bytes, scan) }
  try {
    if (scan.kind === 'other') throw new Invalid('The request body should be a JSON object')
    if (scan.duplicate !== null) throw new Invalid(`${scan.duplicate}: Field given more than once`)
    return { kind: 'ok', facts: readFacts(bytes, scan, shape) }
  } catch (error) {
    if (error instanceof Invalid)
      return { kind: 'invalid', reason: 'invalid_request', message: error.message }
    throw error
  }
}

/** Unwinds to `scanMessageRequest` with what is wrong, in Claude's words. */
class Invalid extends Error {}

type ObjectFields = Extract<ObjectScan, { kind: 'object' }>

function readFacts(bytes: Uint8Array, scan: ObjectFields, shape: RequestShape): MessageFacts {
  const top: Fields = { bytes, fields: scan.fields, path: '' }
  if (scan.fields.has('__proto__')) throw new Invalid('__proto__: Extra inputs are not permitted')
  const model = required(readText(top, 'model'), 'model')
  if (model.length === 0) throw new Invalid('model: String should have at least 1 character')
  if (model.length > MAX_MODEL_CHARS)
    throw new Invalid(`model: String should have at most ${MAX_MODEL_CHARS} characters`)
  checkMessages(top)
  const isChat = shape === 'chat_completions'
  return {
    model,
    stream: shape === 'count_tokens' ? false : (readBoolean(top, 'stream') ?? false),
    maxTokens: readMaxTokens(top, shape),
    thread: isChat ? null : readThread(top),
    userId: isChat ? null : readUserId(top),
    serviceTier: readText(top, 'service_tier'),
    includeUsage: isChat && readIncludeUsage(top),
    estimatedInputTokens: estimateTokens(bytes.length, scan.base64Bytes),
    modelSpan: required(scan.fields.get('model') ?? null, 'model'),
    prompt: {
      tools: scan.fields.get('tools') ?? null,
      system: scan.fields.get('system') ?? null,
      messages: scan.fields.get('messages') ?? null,
    },
    markers: { forAll: scan.fields.has('cache_control'), at: scan.markers },
    fileIds: readFileIds(bytes, scan.files),
  }
}

function estimateTokens(bodyBytes: number, base64Bytes: number): number {
  const text = Math.ceil((bodyBytes - base64Bytes) / BYTES_PER_TOKEN)
  const images = Math.ceil(base64Bytes / TYPICAL_IMAGE_BYTES) * TOKENS_PER_IMAGE
  return text + Math.min(images, Math.ceil(base64Bytes / BYTES_PER_TOKEN))
}

/** The fields of one object; `path` is what its names are prefixed with in a message. */
interface Fields {
  readonly bytes: Uint8Array
  readonly fields: ReadonlyMap<string, Span>
  readonly path: string
}

const required = <T>(value: T | null, name: string): T => {
  if (value === null) throw new Invalid(`${name}: Field required`)
  return value
}

/** The source of a small value; null where it is absent or `null`, which Claude reads alike. */
function sourceOf(from: Fields, name: string): string | null {
  const span = from.fields.get(name)
  if (span === undefined || isNullAt(from, span)) return null
  if (span.end - span.start > MAX_TEXT_BYTES) throw new Invalid(`${from.path}${name}: Too long`)
  return decodeUtf8(from.bytes, span.start, span.end)
}

function readText(from: Fields, name: string): string | null {
  const source = sourceOf(from, name)
  if (source !== null && !source.startsWith('"'))
    throw new Invalid(`${from.path}${name}: Input should be a valid string`)
  return source === null ? null : String(JSON.parse(source))
}

const isNullAt = ({ bytes }: Fields, { start }: Span): boolean => bytes[start] === 0x6e

function readBoolean(from: Fields, name: string): boolean | null {
  const source = sourceOf(from, name)
  if (source !== null && source !== 'true' && source !== 'false')
    throw new Invalid(`${from.path}${name}: Input should be a valid boolean`)
  return source === null ? null : source === 'true'
}

function readCount(from: Fields, name: string): number | null {
  const source = sourceOf(from, name)
  if (source === null) return null
  const value = /^[-0-9]/.test(source) ? Number(source) : Number.NaN
  if (!Number.isSafeInteger(value)) throw new Invalid(`${name}: Input should be a valid integer`)
  if (value < 0) throw new Invalid(`${name}: Input should be greater than or equal to 0`)
  return value
}

function readMaxTokens(from: Fields, shape: RequestShape): number | null {
  if (shape === 'count_tokens') return null
  const maxTokens = readCount(from, 'max_tokens')
  if (shape === 'messages') return required(maxTokens, 'max_tokens')
  return readCount(from, 'max_completion_tokens') ?? maxTokens
}

function checkMessages({ bytes, fields }: Fields): void {
  const span = fields.get('messages')
  if (span === undefined) throw new Invalid('messages: Field required')
  if (bytes[span.start] !== 0x5b) throw new Invalid('messages: Input should be a valid list')
  let at = span.start + 1
  while ((bytes[at] ?? 0) <= 0x20) at += 1
  if (bytes[at] === 0x5d) throw new Invalid('messages: at least one message is required')
}

/** The fields of an object inside the body; null where it is absent or `null`. */
function readObject(from: Fields, name: string, wanted: ReadonlySet<string>): Fields | null {
  const span = from.fields.get(name)
  if (span === undefined || isNullAt(from, span)) return null
  const scan = scanObject(from.bytes, wanted, span)
  if (scan.kind !== 'object') throw new Invalid(`${name}: Input should be a valid dictionary`)
  if (scan.duplicate !== null)
    throw new Invalid(`${name}.${scan.duplicate}: Field given more than once`)
  return { bytes: from.bytes, fields: scan.fields, path: `${name}.` }
}

const THREAD_FIELDS: ReadonlySet<string> = new Set(['type', 'previous_message_id'])

function readThread(top: Fields): ThreadFacts | null {
  const thread = readObject(top, 'thread', THREAD_FIELDS)
  if (thread === null) return null
  const type = required(readText(thread, 'type'), 'thread.type')
  if (type === 'create') return { kind: 'create' }
  if (type !== 'continue') return { kind: 'unknown' }
  const previousMessageId = readText(thread, 'previous_message_id')
  return {
    kind: 'continue',
    previousMessageId: required(previousMessageId, 'thread.previous_message_id'),
  }
}

const METADATA_FIELDS: ReadonlySet<string> = new Set(['user_id'])

function readUserId(top: Fields): string | null {
  const metadata = readObject(top, 'metadata', METADATA_FIELDS)
  return metadata === null ? null : readText(metadata, 'user_id')
}

const STREAM_OPTIONS_FIELDS: ReadonlySet<string> = new Set(['include_usage'])

function readIncludeUsage(top: Fields): boolean {
  const options = readObject(top, 'stream_options', STREAM_OPTIONS_FIELDS)
  return options !== null && (readBoolean(options, 'include_usage') ?? false)
}

function whereBroken(bytes: Uint8Array, { what, at }: { what: string; at: number }): string {
  let line = 1
  let lineStart = 0
  for (
    let next = bytes.indexOf(0x0a);
    next >= 0 && next < at;
    next = bytes.indexOf(0x0a, lineStart)
  ) {
    line += 1
    lineStart = next + 1
  }
  return `The request body is not valid JSON: ${what}: line ${line} column ${at - lineStart + 1} (byte ${at})`
}
