// When a request of ours should ask Claude to keep its prefix: where the caller set no marker for the whole, markers
// are left, and the prefix is long enough for the model to keep at all (Claude's docs on prompt caching).
import { elementsOf, fieldOf, fieldsIn, printFields, type Field } from './json-parts.ts'

/** Claude refuses a fifth. */
const MOST_MARKERS = 4
const CHARS_PER_TOKEN = 4

/** The least tokens of a prefix that is kept, by how a model's name begins; the longest match counts. */
const LEAST_TOKENS: readonly (readonly [string, number])[] = [
  ['claude-opus-4', 4096],
  ['claude-haiku-4', 4096],
  ['claude-haiku', 2048],
  ['claude-fable', 512],
  ['claude-mythos', 512],
]
const USUAL_LEAST_TOKENS = 1024

/** The body's fields, with `cache_control` for the whole where that is of use and breaks nothing. */
export function withPromptCache(fields: readonly Field[], model: string): readonly Field[] {
  if (fieldOf(fields, 'cache_control') !== undefined) return fields
  const prefix = ['tools', 'system', 'messages'].map((name) => fieldOf(fields, name) ?? '')
  const chars = prefix.reduce((sum, part) => sum + part.length, 0)
  if (chars / CHARS_PER_TOKEN < leastTokens(model)) return fields
  if (prefix.some(mayHideMarker)) return fields
  const markers = prefix.reduce((sum, part) => sum + countMarkers(part), 0)
  if (markers >= MOST_MARKERS) return fields
  return [...fields, { name: 'cache_control', value: '{"type":"ephemeral"}' }]
}

function leastTokens(model: string): number {
  return LEAST_TOKENS.find(([start]) => model.startsWith(start))?.[1] ?? USUAL_LEAST_TOKENS
}

/** Counts also a tool's input that has such a field: one marker too few costs less than a refused request. */
const countMarkers = (text: string): number => text.split('"cache_control"').length - 1

/** A key may be written with escapes, which nobody does: then nothing is added. */
const mayHideMarker = (text: string): boolean => /\\u00[4-7]/.test(text)

/**
 * A message without its markers. Kept ones would pile up turn by turn until Claude refuses the fifth; what they had
 * kept is found by the newest marker all the same.
 */
export function withoutMarkers(message: string): string {
  return message.includes('"cache_control"') ? rewrite(message, fieldsIn(message)) : message
}

/** A tool's result holds blocks of its own. */
function withoutMarker(block: string): string {
  if (!block.startsWith('{')) return block
  return rewrite(
    block,
    fieldsIn(block).filter(({ name }) => name !== 'cache_control'),
  )
}

/** The object of these fields with its content's blocks unmarked; as it was written where nothing changes. */
function rewrite(written: string, kept: readonly Field[]): string {
  const clean = kept.map(({ name, value }) => ({
    name,
    value:
      name === 'content' && value.startsWith('[')
        ? `[${elementsOf(value).map(withoutMarker).join(',')}]`
        : value,
  }))
  const fields = fieldsIn(written)
  const isSame =
    fields.length === clean.length && fields.every(({ value }, at) => value === clean[at]?.value)
  return isSame ? written : printFields(clean)
}
