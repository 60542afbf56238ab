// The request that a turn becomes: the conversation's messages before the caller's, its system where the caller gave
// none, everything else as the caller wrote it.
import type { Conversation } from './conversation.ts'
import { messagesOf } from './conversation.ts'
import { elementsOf, type Field, fieldOf, fieldsIn, printFields, readString } from './json-parts.ts'

export interface Said {
  readonly fields: readonly Field[]
  /** The caller's own messages of this turn. */
  readonly messages: readonly string[]
  /** null: the conversation's. */
  readonly system: string | null
  /** null: the conversation's. */
  readonly model: string | null
  /** From the body of /v1/chat; null: a new one, or named by the header. */
  readonly sessionId: string | null
}

export type SaidOrWrong =
  | { readonly kind: 'said'; readonly said: Said }
  | { readonly kind: 'wrong'; readonly message: string }

export interface ChatDefaults {
  readonly model: string
  readonly maxTokens: number
}

/** Where neither the body of a chat nor the conversation names them. */
export const CHAT_DEFAULTS: ChatDefaults = { model: 'claude-sonnet-5-5', maxTokens: 4096 }

/** The body of /v1/messages: `messages` are the new ones. The text has been found to be a valid request. */
export function readMessagesBody(text: string): Said {
  const fields = fieldsIn(text)
  return {
    fields,
    messages: elementsOf(fieldOf(fields, 'messages') ?? '[]'),
    system: given(fields, 'system'),
    model: readString(fieldOf(fields, 'model')),
    sessionId: null,
  }
}

/** The body of /v1/chat: a valid JSON object, of which nothing else is known yet. */
export function readChatBody(text: string): SaidOrWrong {
  const fields = fieldsIn(text)
  const wrong = (message: string): SaidOrWrong => ({ kind: 'wrong', message })
  const twice = fields.find(
    ({ name }, at) => fields.findIndex((field) => field.name === name) !== at,
  )
  if (twice !== undefined) return wrong(`${twice.name}: Field given more than once`)
  for (const name of ['messages', 'thread']) {
    if (given(fields, name) !== null) {
      return wrong(`${name}: Extra inputs are not permitted: a session keeps what was said`)
    }
  }
  const message = given(fields, 'message')
  if (message === null) return wrong('message: Field required')
  const isText = message.startsWith('"') && message !== '""'
  if (!isText && !(message.startsWith('[') && elementsOf(message).length > 0)) {
    return wrong('message: Input should be a non-empty string or list of content blocks')
  }
  for (const name of ['session_id', 'model']) {
    const value = given(fields, name)
    if (value !== null && (readString(value) ?? '') === '') {
      return wrong(`${name}: Input should be a non-empty string`)
    }
  }
  return {
    kind: 'said',
    said: {
      fields: fields.filter(({ name }) => name !== 'message' && name !== 'session_id'),
      messages: [`{"role":"user","content":${message}}`],
      system: given(fields, 'system'),
      model: readString(fieldOf(fields, 'model')),
      sessionId: readString(fieldOf(fields, 'session_id')),
    },
  }
}

/** The body for Claude. */
export function printTurnRequest(
  said: Said,
  conversation: Conversation,
  defaults: ChatDefaults,
): string {
  const model = modelOf(said, conversation, defaults)
  const messages = [...messagesOf(conversation), ...said.messages]
  const system = said.system ?? conversation.system
  const own: Field[] = [
    { name: 'model', value: JSON.stringify(model) },
    { name: 'max_tokens', value: String(defaults.maxTokens) },
    ...(system === null ? [] : [{ name: 'system', value: system }]),
    { name: 'messages', value: `[${messages.join(',')}]` },
  ]
  let fields = said.fields
  for (const field of own) {
    if (field.name === 'messages') fields = set(fields, field)
    else if (given(fields, field.name) === null) fields = set(fields, field)
  }
  return printFields(fields)
}

export const modelOf = (said: Said, conversation: Conversation, defaults: ChatDefaults): string =>
  said.model ?? (conversation.model === '' ? defaults.model : conversation.model)

/** The value as written; null where the field is absent or `null`. */
function given(fields: readonly Field[], name: string): string | null {
  const value = fieldOf(fields, name)
  return value === undefined || value === 'null' ? null : value
}

/** In its place where it is there, else at the end. */
function set(fields: readonly Field[], field: Field): readonly Field[] {
  if (!fields.some(({ name }) => name === field.name)) return [...fields, field]
  return fields.map((old) => (old.name === field.name ? field : old))
}
