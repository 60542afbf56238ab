// The simulator's tokenizer: a token is four bytes of UTF-8, rounded up for each block. It is the only
// way tokens are counted here, so a test can work out every figure for itself.
import { isObject, textField, type JsonObject } from './json.ts'
import type { Block, ChatMessage, MessagesRequest } from './request-types.ts'

export const BYTES_PER_TOKEN = 4
/** Images and documents count a flat number, whatever their size. */
export const IMAGE_TOKENS = 1_500
export const DOCUMENT_TOKENS = 3_000

export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN)
}

export function countBlockTokens(block: Block): number {
  switch (block.type) {
    case 'text':
      return estimateTokens(textField(block, 'text'))
    case 'thinking':
      return estimateTokens(textField(block, 'thinking'))
    case 'image':
      return IMAGE_TOKENS
    case 'document':
      return countDocument(block)
    case 'tool_use':
      return estimateTokens(textField(block, 'name')) + countJson(block['input'])
    case 'tool_result':
      return countContent(block['content'])
    default:
      return countJson(withoutMarker(block))
  }
}

export function countContent(content: unknown): number {
  if (typeof content === 'string') return estimateTokens(content)
  if (!Array.isArray(content)) return 0
  let tokens = 0
  for (const block of content) if (isObject(block)) tokens += countBlockTokens(block as Block)
  return tokens
}

export function countTool(tool: JsonObject): number {
  return countJson(withoutMarker(tool))
}

export function countMessage(message: ChatMessage): number {
  return countContent(message.content)
}

/** Every input token of a request: tools, system and messages, images at their flat price. */
export function countInputTokens(
  request: Pick<MessagesRequest, 'messages' | 'system' | 'tools'>,
): number {
  let tokens = countContent(request.system)
  for (const tool of request.tools ?? []) tokens += countTool(tool)
  for (const message of request.messages) tokens += countMessage(message)
  return Math.max(1, tokens)
}

/** The longest prefix of `text` that costs at most `tokens`, never cutting a character in two. */
export function cutToTokens(text: string, tokens: number): string {
  const limitBytes = tokens * BYTES_PER_TOKEN
  if (text.length * 3 <= limitBytes || Buffer.byteLength(text) <= limitBytes) return text
  const bytes = Buffer.from(text)
  let end = limitBytes
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return bytes.subarray(0, end).toString()
}

export function withoutMarker(value: JsonObject): JsonObject {
  if (!('cache_control' in value)) return value
  const { cache_control: _marker, ...rest } = value
  return rest
}

function countDocument(block: Block): number {
  const source = isObject(block['source']) ? block['source'] : {}
  if (source['type'] === 'text') return estimateTokens(textField(source, 'data'))
  if (source['type'] === 'content') return countContent(source['content'])
  return DOCUMENT_TOKENS
}

function countJson(value: unknown): number {
  return estimateTokens(JSON.stringify(value) ?? '')
}
