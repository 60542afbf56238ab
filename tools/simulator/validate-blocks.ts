// Judges one content block of a message. Kinds that the simulator does not know pass, since Claude
// gains kinds faster than a simulator does.
import { invalid } from './api-error.ts'
import { isDictionary, isOneOf, isText, required } from './check-fields.ts'
import { isObject, type JsonObject } from './json.ts'
import { redactedIsOurs, thinkingIsOurs } from './signature.ts'

export function checkBlock(value: unknown, path: string, role: string): void {
  isDictionary(value, path)
  const block = value as JsonObject
  isText(required(block, 'type', `${path}.`), `${path}.type`)
  checkCacheControl(block, path)
  switch (block['type']) {
    case 'text':
      return checkText(block, path)
    case 'tool_use':
      return checkToolUse(block, path, role)
    case 'tool_result':
      return checkToolResult(block, path, role)
    case 'thinking':
      return checkThinkingBlock(block, path)
    case 'redacted_thinking':
      return checkRedacted(block, path)
    case 'image':
    case 'document':
      return checkSource(block, path)
    default:
      return undefined
  }
}

function checkText(block: JsonObject, path: string): void {
  isText(required(block, 'text', `${path}.text.`), `${path}.text.text`)
  if (block['text'] !== '') return
  if (isObject(block['cache_control'])) {
    throw invalid(`${path}.text: cache_control cannot be set for empty text blocks`)
  }
  throw invalid('messages: text content blocks must be non-empty')
}

function checkToolUse(block: JsonObject, path: string, role: string): void {
  if (role !== 'assistant') {
    throw invalid(`${path}: \`tool_use\` blocks can only be in \`assistant\` messages`)
  }
  isText(required(block, 'id', `${path}.tool_use.`), `${path}.tool_use.id`)
  isText(required(block, 'name', `${path}.tool_use.`), `${path}.tool_use.name`)
  isDictionary(required(block, 'input', `${path}.tool_use.`), `${path}.tool_use.input`)
}

function checkToolResult(block: JsonObject, path: string, role: string): void {
  if (role !== 'user') {
    throw invalid(`${path}: \`tool_result\` blocks can only be in \`user\` messages`)
  }
  const id = required(block, 'tool_use_id', `${path}.tool_result.`)
  isText(id, `${path}.tool_result.tool_use_id`)
  const content = block['content']
  if (content === undefined || content === null || typeof content === 'string') return
  if (!Array.isArray(content)) {
    throw invalid(`${path}.tool_result.content: Input should be a valid string or a valid list`)
  }
  content.forEach((inner, index) => {
    const innerPath = `${path}.tool_result.content.${index}`
    isDictionary(inner, innerPath)
    isText(required(inner as JsonObject, 'type', `${innerPath}.`), `${innerPath}.type`)
  })
}

function checkThinkingBlock(block: JsonObject, path: string): void {
  isText(required(block, 'thinking', `${path}.thinking.`), `${path}.thinking.thinking`)
  isText(required(block, 'signature', `${path}.thinking.`), `${path}.thinking.signature`)
  if (!thinkingIsOurs(String(block['thinking']), String(block['signature']))) {
    throw invalid(`${path}: Invalid \`signature\` in \`thinking\` block`)
  }
}

function checkRedacted(block: JsonObject, path: string): void {
  const data = required(block, 'data', `${path}.redacted_thinking.`)
  isText(data, `${path}.redacted_thinking.data`)
  if (!redactedIsOurs(String(data))) {
    throw invalid(`${path}: Invalid \`data\` in \`redacted_thinking\` block`)
  }
}

function checkSource(block: JsonObject, path: string): void {
  const kind = String(block['type'])
  const source = required(block, 'source', `${path}.${kind}.`)
  isDictionary(source, `${path}.${kind}.source`)
  const inner = `${path}.${kind}.source`
  isText(required(source as JsonObject, 'type', `${inner}.`), `${inner}.type`)
}

function checkCacheControl(block: JsonObject, path: string): void {
  const control = block['cache_control']
  if (control === undefined || control === null) return
  isDictionary(control, `${path}.cache_control`)
  const { type, ttl } = control as JsonObject
  if (type === undefined) throw invalid(`${path}.cache_control.type: Field required`)
  isOneOf('ephemeral')(type, `${path}.cache_control.type`)
  if (ttl !== undefined && ttl !== null)
    isOneOf('5m', '1h')(ttl, `${path}.cache_control.ephemeral.ttl`)
}
