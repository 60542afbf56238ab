// Markers of the caller's (`cache_control`) in what a conversation keeps.
import { elementsOf, fieldsIn, printFields, type Field } from './json-parts.ts'

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
