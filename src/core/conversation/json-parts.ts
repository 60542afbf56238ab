// The parts of a JSON text that is known to be valid, as they were written: what a conversation keeps must be what
// was said, to the digit, so nothing of it is parsed and printed again.

export interface Field {
  /** The key, escapes undone. */
  readonly name: string
  /** Its value, as written. */
  readonly value: string
}

/** The elements of an array's text. Only for text that has been found valid. */
export function elementsOf(array: string): readonly string[] {
  const elements: string[] = []
  let at = skipSpace(array, skipSpace(array, 0) + 1)
  while (at < array.length && array[at] !== ']') {
    const end = endOfValue(array, at)
    // Not valid after all: what cannot be read must not be read for ever.
    if (end === at) break
    elements.push(array.slice(at, end))
    at = afterComma(array, end)
  }
  return elements
}

/** The fields of an object's text, in their order. Only for text that has been found valid. */
export function fieldsIn(object: string): readonly Field[] {
  const fields: Field[] = []
  let at = skipSpace(object, skipSpace(object, 0) + 1)
  while (at < object.length && object[at] !== '}') {
    const keyEnd = endOfString(object, at)
    const start = skipSpace(object, skipSpace(object, keyEnd) + 1)
    const end = endOfValue(object, start)
    const name = String(JSON.parse(object.slice(at, keyEnd)))
    fields.push({ name, value: object.slice(start, end) })
    at = afterComma(object, end)
  }
  return fields
}

/** The text of one field; undefined where it is not there. The last counts, as it does for most parsers. */
export const fieldOf = (fields: readonly Field[], name: string): string | undefined =>
  fields.findLast((field) => field.name === name)?.value

/** The string that a value is; null where it is none. */
export const readString = (value: string | undefined): string | null =>
  value?.startsWith('"') === true ? String(JSON.parse(value)) : null

export const printFields = (fields: readonly Field[]): string =>
  `{${fields.map(({ name, value }) => `${JSON.stringify(name)}:${value}`).join(',')}}`

function skipSpace(text: string, start: number): number {
  let at = start
  while (at < text.length && text.charCodeAt(at) <= 0x20) at += 1
  return at
}

function afterComma(text: string, end: number): number {
  const at = skipSpace(text, end)
  return text[at] === ',' ? skipSpace(text, at + 1) : at
}

function endOfString(text: string, start: number): number {
  let at = start + 1
  for (;;) {
    const quote = text.indexOf('"', at)
    if (quote < 0) return text.length
    let slashes = 0
    while (text[quote - 1 - slashes] === '\\') slashes += 1
    at = quote + 1
    if (slashes % 2 === 0) return at
  }
}

/** Depth is counted, not stacked: the text may be nested as deep as whoever sent it liked. */
function endOfValue(text: string, start: number): number {
  let depth = 0
  let at = start
  while (at < text.length) {
    const char = text[at] ?? ''
    if (char === '"') {
      at = endOfString(text, at)
      if (depth === 0) return at
      continue
    }
    if (char === '[' || char === '{') depth += 1
    else if (char === ']' || char === '}') {
      if (depth <= 1) return depth === 0 ? at : at + 1
      depth -= 1
    } else if (depth === 0 && (char === ',' || char <= ' ')) return at
    at += 1
  }
  return at
}
