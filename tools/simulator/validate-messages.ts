// Judges the conversation: roles, blocks, and that every tool call is answered at once and every
// result has its call.
import { invalid } from './api-error.ts'
import { isDictionary, isOneOf, isText, required } from './check-fields.ts'
import { isObject, type JsonObject } from './json.ts'
import type { Block, ChatMessage } from './request-types.ts'
import { checkBlock } from './validate-blocks.ts'

const MAX_MESSAGES = 100_000

interface MessageRules {
  mayBeEmpty: boolean
  /** The turns before are held by a thread, so pairs are judged once they have been joined. */
  continues: boolean
}

export function checkMessages(value: unknown, rules: MessageRules): void {
  if (!Array.isArray(value)) throw invalid('messages: Input should be a valid list')
  if (value.length === 0 && !rules.mayBeEmpty) {
    throw invalid('messages: at least one message is required')
  }
  if (value.length > MAX_MESSAGES) {
    throw invalid(`messages: List should have at most ${MAX_MESSAGES} items`)
  }
  value.forEach((message, index) => checkMessage(message, `messages.${index}`))
  if (!rules.continues) checkToolPairs(value as ChatMessage[])
}

export function checkSystem(system: unknown): void {
  if (system === undefined || system === null || typeof system === 'string') return
  if (!Array.isArray(system)) {
    throw invalid('system: Input should be a valid string or a list of content blocks')
  }
  system.forEach((block, index) => {
    isDictionary(block, `system.${index}`)
    const object = block as JsonObject
    isOneOf('text')(required(object, 'type', `system.${index}.`), `system.${index}.type`)
    isText(required(object, 'text', `system.${index}.`), `system.${index}.text`)
    if (object['text'] === '') throw invalid('system: text content blocks must be non-empty')
  })
}

function checkMessage(message: unknown, path: string): void {
  isDictionary(message, path)
  const object = message as JsonObject
  const role = required(object, 'role', `${path}.`)
  if (role !== 'user' && role !== 'assistant' && role !== 'system') {
    throw invalid(
      `messages: Unexpected role "${String(role)}". Allowed roles are "user", "assistant" or "system".`,
    )
  }
  const content = object['content']
  // A system message may carry settings instead of words.
  if (content === undefined && role === 'system' && isObject(object['output_config'])) return
  if (content === undefined) throw invalid(`${path}.content: Field required`)
  if (typeof content === 'string') {
    if (content === '') {
      throw invalid(
        `${path}: all messages must have non-empty content except for the optional final assistant message`,
      )
    }
    return
  }
  if (!Array.isArray(content)) {
    throw invalid(`${path}.content: Input should be a valid string or a valid list`)
  }
  if (content.length === 0 && role === 'user') {
    throw invalid(`${path}: user messages must have non-empty content`)
  }
  content.forEach((block, index) => checkBlock(block, `${path}.content.${index}`, role))
}

export function checkToolPairs(messages: readonly ChatMessage[]): void {
  const turns = joinTurns(messages)
  for (const [at, turn] of turns.entries()) {
    if (turn.role === 'user') checkResults(turns[at - 1], turn)
    if (turn.role === 'assistant' && at < turns.length - 1) checkAnswered(turn, turns[at + 1])
  }
}

interface Turn {
  role: string
  index: number
  blocks: { block: Block; path: string }[]
}

/** Neighbours of one role are one turn, as Claude reads them; system messages stand between no pair. */
function joinTurns(messages: readonly ChatMessage[]): Turn[] {
  const turns: Turn[] = []
  for (const [index, message] of messages.entries()) {
    if (message.role === 'system') continue
    let turn = turns.at(-1)
    if (turn === undefined || turn.role !== message.role) {
      turn = { role: message.role, index, blocks: [] }
      turns.push(turn)
    }
    if (typeof message.content === 'string') continue
    for (const [at, block] of message.content.entries()) {
      if (block.type !== 'tool_use' && block.type !== 'tool_result') continue
      turn.blocks.push({ block, path: `messages.${index}.content.${at}` })
    }
  }
  return turns
}

function checkAnswered(turn: Turn, next: Turn | undefined): void {
  if (turn.blocks.length === 0) return
  const answered = new Set(next?.blocks.map(({ block }) => block['tool_use_id']))
  const open = turn.blocks
    .filter(({ block }) => block.type === 'tool_use' && !answered.has(block['id']))
    .map(({ block }) => String(block['id']))
  if (open.length === 0) return
  throw invalid(
    `messages.${turn.index}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${open.join(', ')}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
  )
}

function checkResults(previous: Turn | undefined, turn: Turn): void {
  if (turn.blocks.length === 0) return
  const called = new Set(previous?.blocks.map(({ block }) => block['id']))
  for (const { block, path } of turn.blocks) {
    if (block.type !== 'tool_result' || called.has(block['tool_use_id'])) continue
    throw invalid(
      `${path}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${String(block['tool_use_id'])}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`,
    )
  }
}
