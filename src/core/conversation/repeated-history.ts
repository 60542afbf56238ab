// Clients that keep the history themselves say it again with each request. What a session already has goes no second
// time before itself.
import { type Conversation, messagesOf } from './conversation.ts'
import { fieldOf, fieldsIn, readString } from './json-parts.ts'
import { withoutMarkers } from './without-markers.ts'

/**
 * What is new of a caller's messages: without those that the conversation ends with, if an answer of Claude's is among
 * them. The caller's own words alone are never taken for a repetition: somebody may well say the same thing twice.
 */
export function withoutRepeated(
  said: readonly string[],
  conversation: Conversation,
): readonly string[] {
  const kept = messagesOf(conversation)
  // The newest answer that was kept must be the newest one that is repeated.
  const count = said.findLastIndex(isAnswer) + 1
  // The caller may remember what had to make room here.
  const compared = conversation.dropped > 0 ? Math.min(count, kept.length) : count
  if (compared < 2 || compared > kept.length) return said
  const repeated = said.slice(count - compared, count)
  const isRepeated = kept
    .slice(-compared)
    .every((message, at) => isSame(message, repeated[at] ?? 'null'))
  return isRepeated ? said.slice(count) : said
}

const isAnswer = (message: string): boolean =>
  readString(fieldOf(fieldsIn(message), 'role')) === 'assistant'

const isSame = (kept: string, said: string): boolean =>
  kept === said || canonical(kept) === canonical(withoutMarkers(said))

/** The order of fields, spaces and spellings of a text say nothing. */
const canonical = (json: string): string =>
  JSON.stringify(JSON.parse(json), (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
