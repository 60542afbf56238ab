// A conversation as a session keeps it: whole turns, each the messages of the caller and Claude's answer, as they were
// written. A turn is added whole or not at all; over the size limit the oldest go, never a tool's use without its
// result.
import { utf8Length } from '../answering/usage.ts'
import { elementsOf, fieldOf, fieldsIn, printFields, readString } from './json-parts.ts'
import { withoutMarkers } from './without-markers.ts'

export interface Conversation {
  /** The model of the latest turn. */
  readonly model: string
  /** The account that answered last, which keeps the prefix; null: not known. */
  readonly account: string | null
  /** The text of `system` as JSON; null where none was given. */
  readonly system: string | null
  /** How many turns went to make room. */
  readonly dropped: number
  readonly turns: readonly Turn[]
  readonly usage: ConversationUsage
}

/** The texts of its messages, the answer last. */
export type Turn = readonly string[]

export interface ConversationUsage {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheWriteTokens: number
  readonly cacheReadTokens: number
}

export interface NewTurn {
  readonly model: string
  readonly account: string | null
  readonly system: string | null
  /** What the caller said, as JSON texts of messages. */
  readonly said: readonly string[]
  /** Claude's whole Message. */
  readonly answer: string
  readonly usage: ConversationUsage
}

export const emptyConversation: Conversation = {
  model: '',
  account: null,
  system: null,
  dropped: 0,
  turns: [],
  usage: { inputTokens: 0, outputTokens: 0, cacheWriteTokens: 0, cacheReadTokens: 0 },
}

/** Turns in all, those that went included. */
export const countTurns = ({ dropped, turns }: Conversation): number => dropped + turns.length

export const messagesOf = ({ turns }: Conversation): readonly string[] => turns.flat()

/** The conversation with one turn more, held to the limit of its messages' UTF-8. */
export function addTurn(before: Conversation, turn: NewTurn, maxBytes: number): Conversation {
  const content = fieldOf(fieldsIn(turn.answer), 'content') ?? '[]'
  // Claude takes no message without content.
  const answer =
    elementsOf(content).length === 0
      ? []
      : [withoutMarkers(`{"role":"assistant","content":${content}}`)]
  return trim(
    {
      model: turn.model,
      account: turn.account,
      system: turn.system,
      dropped: before.dropped,
      turns: [...before.turns, [...turn.said.map(withoutMarkers), ...answer]],
      usage: addUsage(before.usage, turn.usage),
    },
    maxBytes,
  )
}

const addUsage = (a: ConversationUsage, b: ConversationUsage): ConversationUsage => ({
  inputTokens: a.inputTokens + b.inputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
  cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
})

/** The newest turn stays, with those whose tools it answers, whatever their size: without them it means nothing. */
function trim(conversation: Conversation, maxBytes: number): Conversation {
  const sizes = conversation.turns.map((turn) =>
    turn.reduce((sum, message) => sum + utf8Length(message), 0),
  )
  let size = sizes.reduce((sum, each) => sum + each, 0)
  let first = 0
  while (size > maxBytes) {
    let next = first + 1
    while (answersTools(conversation.turns[next])) next += 1
    if (next >= conversation.turns.length) break
    for (; first < next; first += 1) size -= sizes[first] ?? 0
  }
  return {
    ...conversation,
    dropped: conversation.dropped + first,
    turns: conversation.turns.slice(first),
  }
}

/** Whether a turn begins with results of tools that the turn before asked for. */
function answersTools(turn: Turn | undefined): boolean {
  const [first] = turn ?? []
  const content = first === undefined ? undefined : fieldOf(fieldsIn(first), 'content')
  if (content?.startsWith('[') !== true) return false
  return elementsOf(content).some((block) => {
    const type = block.startsWith('{') ? readString(fieldOf(fieldsIn(block), 'type')) : null
    return type?.endsWith('tool_result') === true
  })
}

/** The conversation as it was after so many turns; null where that cannot be told any more, or not yet. */
export function cutAfter(conversation: Conversation, turn: number): Conversation | null {
  const kept = turn - conversation.dropped
  if (kept < 1 || kept > conversation.turns.length) return null
  return { ...conversation, turns: conversation.turns.slice(0, kept) }
}

export function printConversation(conversation: Conversation): string {
  const { model, account, system, dropped, turns, usage } = conversation
  const turnTexts = turns.map((messages) => `[${messages.join(',')}]`)
  return printFields([
    { name: 'v', value: '1' },
    { name: 'model', value: JSON.stringify(model) },
    { name: 'account', value: JSON.stringify(account) },
    { name: 'system', value: system ?? 'null' },
    { name: 'dropped', value: String(dropped) },
    { name: 'usage', value: JSON.stringify(usage) },
    { name: 'turns', value: `[${turnTexts.join(',')}]` },
  ])
}

/** What `printConversation` gave; throws RangeError for the form of a later version. */
export function parseConversation(text: string): Conversation {
  const fields = fieldsIn(text)
  const version = fieldOf(fields, 'v')
  if (version !== '1') {
    throw new RangeError(`Cannot read a conversation of a later form: version is ${version}`)
  }
  const system = fieldOf(fields, 'system')
  return {
    model: readString(fieldOf(fields, 'model')) ?? '',
    account: readString(fieldOf(fields, 'account')),
    system: system === undefined || system === 'null' ? null : system,
    dropped: Number(fieldOf(fields, 'dropped')),
    turns: elementsOf(fieldOf(fields, 'turns') ?? '[]').map(elementsOf),
    usage: JSON.parse(fieldOf(fields, 'usage') ?? '{}') as ConversationUsage,
  }
}
