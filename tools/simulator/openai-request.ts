// Reads an OpenAI chat completion request into a Messages request. What has no counterpart is
// ignored, as Claude's compatible endpoint does.
import { invalid } from './api-error.ts'
import { isObject, textField, type JsonObject } from './json.ts'
import type { Block, ChatMessage, MessagesRequest } from './request-types.ts'

const DEFAULT_MAX_TOKENS = 4_096

export interface OpenAiCall {
  body: JsonObject
  includeUsage: boolean
  stream: boolean
}

export function readOpenAi(value: unknown): OpenAiCall {
  if (!isObject(value)) throw invalid('Input should be a valid dictionary')
  if (!Array.isArray(value['messages'])) throw invalid('messages: Field required')
  const read = readMessages(value['messages'])
  const body: JsonObject = {
    model: value['model'],
    max_tokens: value['max_completion_tokens'] ?? value['max_tokens'] ?? DEFAULT_MAX_TOKENS,
    messages: read.messages,
  }
  if (read.system !== '') body['system'] = read.system
  const tools = readTools(value['tools'])
  if (tools.length > 0) body['tools'] = tools
  const choice = readToolChoice(value['tool_choice'])
  if (tools.length > 0 && choice !== undefined) body['tool_choice'] = choice
  const { stop } = value
  if (typeof stop === 'string') body['stop_sequences'] = [stop]
  else if (Array.isArray(stop)) body['stop_sequences'] = stop
  const options = isObject(value['stream_options']) ? value['stream_options'] : {}
  return {
    body,
    stream: value['stream'] === true,
    includeUsage: options['include_usage'] === true,
  }
}

function readMessages(list: unknown[]): { messages: ChatMessage[]; system: string } {
  const messages: ChatMessage[] = []
  const system: string[] = []
  for (const [index, item] of list.entries()) {
    if (!isObject(item)) throw invalid(`messages.${index}: Input should be a valid dictionary`)
    switch (item['role']) {
      case 'system':
      case 'developer':
        system.push(textOf(item['content']))
        break
      case 'assistant':
        messages.push({ role: 'assistant', content: assistantBlocks(item) })
        break
      case 'tool':
        pushResult(messages, item)
        break
      case 'user':
        messages.push({ role: 'user', content: userContent(item['content']) })
        break
      default:
        throw invalid(`messages.${index}.role: unexpected role`)
    }
  }
  return { messages, system: system.join('\n') }
}

function assistantBlocks(item: JsonObject): Block[] {
  const blocks: Block[] = []
  const text = textOf(item['content'])
  if (text !== '') blocks.push({ type: 'text', text })
  const calls = Array.isArray(item['tool_calls']) ? item['tool_calls'] : []
  for (const call of calls) {
    const wanted = isObject(call) && isObject(call['function']) ? call['function'] : {}
    blocks.push({
      type: 'tool_use',
      id: textField(call, 'id'),
      name: textField(wanted, 'name'),
      input: argumentsOf(textField(wanted, 'arguments')),
    })
  }
  return blocks
}

/** Results of one turn stand in one user message, as Claude wants them. */
function pushResult(messages: ChatMessage[], item: JsonObject): void {
  const block = {
    type: 'tool_result',
    tool_use_id: textField(item, 'tool_call_id'),
    content: textOf(item['content']),
  }
  const last = messages.at(-1)
  if (last?.role === 'user' && Array.isArray(last.content)) last.content.push(block)
  else messages.push({ role: 'user', content: [block] })
}

function userContent(content: unknown): string | Block[] {
  if (!Array.isArray(content)) return textOf(content)
  return content.filter(isObject).map((part): Block => {
    if (part['type'] !== 'image_url') return { type: 'text', text: textField(part, 'text') }
    return { type: 'image', source: { type: 'url', url: textField(part['image_url'], 'url') } }
  })
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content.map((part) => textField(part, 'text')).join('')
}

function argumentsOf(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : {}
  } catch {
    return {}
  }
}

function readTools(tools: unknown): JsonObject[] {
  if (!Array.isArray(tools)) return []
  return tools.filter(isObject).map((tool) => {
    const wanted = isObject(tool['function']) ? tool['function'] : {}
    const parameters = isObject(wanted['parameters']) ? wanted['parameters'] : {}
    return { name: wanted['name'], input_schema: { type: 'object', ...parameters } }
  })
}

function readToolChoice(choice: unknown): MessagesRequest['tool_choice'] {
  if (choice === 'required') return { type: 'any' }
  if (choice === 'none' || choice === 'auto') return { type: choice }
  if (!isObject(choice)) return undefined
  return { type: 'tool', name: textField(choice['function'], 'name') }
}
