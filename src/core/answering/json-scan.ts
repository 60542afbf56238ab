// Finds the fields of one JSON object in raw bytes and checks the whole text on the way, without building a
// tree: bodies are 100 KB to 1 MB on each turn, and we need a handful of small fields of them. One pass, no
// recursion, every byte looked at once.
import { CLOSE_ARRAY, CLOSE_OBJECT, OPEN_ARRAY, OPEN_OBJECT, QUOTE } from './json-tokens.ts'
import {
  Broken,
  isSpace,
  type JsonText,
  jsonText,
  skipNumber,
  skipString,
  skipWord,
} from './json-tokens.ts'

/** Deeper nesting is refused: no parser upstream takes much more, and deep input is only ever an attack. */
export const MAX_DEPTH = 1024

/** From `start` to before `end`, in bytes. */
export interface Span {
  readonly start: number
  readonly end: number
}

export type ObjectScan =
  | {
      readonly kind: 'object'
      /** The wanted fields that are there, as the spans of their values. */
      readonly fields: ReadonlyMap<string, Span>
      /** A wanted field that came twice: parsers differ on which one counts, so it must not be trusted. */
      readonly duplicate: string | null
      /** Bytes of long strings that look like base64: an image, whose tokens do not follow its size. */
      readonly base64Bytes: number
      /** Where the keys `cache_control` inside its values end: the first four. */
      readonly markers: readonly number[]
      /** The same of the keys `file_id`: the first hundred. */
      readonly files: readonly number[]
    }
  /** Valid JSON, but not an object. */
  | { readonly kind: 'other' }
  | { readonly kind: 'broken'; readonly what: string; readonly at: number }

const COMMA = 0x2c
const COLON = 0x3a
const MINUS = 0x2d
const BACKSLASH = 0x5c
/** The longest key that can still be a wanted one when each of its characters is an escape. */
const MAX_KEY_BYTES = 192
const MIN_BASE64_BYTES = 4096
const MARKER = 'cache_control'
/** Claude takes no more. */
const MOST_MARKERS = 4
const FILE = 'file_id'
/** More than a request can mean. */
const MOST_FILES = 100

export function scanObject(
  bytes: Uint8Array,
  wanted: ReadonlySet<string>,
  span: Span = { start: 0, end: bytes.length },
): ObjectScan {
  try {
    return new Scan(bytes, wanted, span).run()
  } catch (error) {
    if (error instanceof Broken) return { kind: 'broken', what: error.what, at: error.at }
    throw error
  }
}

type Expect = 'value' | 'value or ]' | 'key' | 'key or }' | 'comma'

/** Where a scan stands. One for each call, since a scan of 1 MB passes through 50,000 tokens. */
class Scan {
  readonly #bytes: Uint8Array
  readonly #text: JsonText
  readonly #end: number
  readonly #wanted: ReadonlySet<string>
  /** For each open level: 1 where it is an object. */
  readonly #isObjectAt = new Uint8Array(MAX_DEPTH + 1)
  readonly #fields = new Map<string, Span>()
  #duplicate: string | null = null
  #base64Bytes = 0
  readonly #markers: number[] = []
  readonly #files: number[] = []
  #at: number
  #depth = 0
  #expect: Expect = 'value'
  /** The wanted field whose value is being read. */
  #field: string | null = null
  #fieldStart = 0

  constructor(bytes: Uint8Array, wanted: ReadonlySet<string>, span: Span) {
    this.#bytes = bytes
    this.#text = jsonText(bytes)
    this.#wanted = wanted
    this.#at = span.start
    this.#end = span.end
  }

  run(): ObjectScan {
    const bytes = this.#bytes
    while (this.#skipSpace()) {
      const byte = bytes[this.#at] ?? 0
      if (this.#expect === 'comma') this.#afterValue(byte)
      else if (this.#expect === 'key' || this.#expect === 'key or }') this.#key(byte)
      else this.#value(byte)
    }
    if (this.#depth > 0 || this.#expect !== 'comma')
      throw new Broken('unexpected end of data', this.#at)
    // Level 1 stays as it was left when it closed.
    if (this.#isObjectAt[1] !== 1) return { kind: 'other' }
    return {
      kind: 'object',
      fields: this.#fields,
      duplicate: this.#duplicate,
      base64Bytes: this.#base64Bytes,
      markers: this.#markers,
      files: this.#files,
    }
  }

  /** False at the end of the text. */
  #skipSpace(): boolean {
    let at = this.#at
    while (at < this.#end && isSpace(this.#bytes[at])) at += 1
    this.#at = at
    return at < this.#end
  }

  #afterValue(byte: number): void {
    if (this.#depth === 0) throw new Broken('unexpected content after document', this.#at)
    const inObject = this.#isObjectAt[this.#depth] === 1
    if (byte === COMMA) {
      this.#at += 1
      this.#expect = inObject ? 'key' : 'value'
    } else if (byte === (inObject ? CLOSE_OBJECT : CLOSE_ARRAY)) this.#close()
    else throw new Broken(`expected a comma or ${inObject ? '}' : ']'}`, this.#at)
  }

  #key(byte: number): void {
    if (byte === CLOSE_OBJECT && this.#expect === 'key or }') return this.#close()
    if (byte !== QUOTE) throw new Broken('expected a key in double quotes', this.#at)
    const start = this.#at + 1
    this.#at = skipString(this.#text, start, this.#end)
    const name = this.#depth === 1 ? wantedKey(this.#bytes, start, this.#at - 1) : null
    if (this.#depth > 1) this.#mark(start, this.#at - 1)
    if (!this.#skipSpace() || this.#bytes[this.#at] !== COLON)
      throw new Broken('expected a colon after a key', this.#at)
    this.#at += 1
    this.#expect = 'value'
    if (name === null || !this.#wanted.has(name)) return
    this.#skipSpace()
    if (this.#fields.has(name)) this.#duplicate ??= name
    this.#field = name
    this.#fieldStart = this.#at
  }

  #mark(start: number, end: number): void {
    if (isNamed(this.#bytes, start, end, MARKER)) {
      if (this.#markers.length < MOST_MARKERS) this.#markers.push(this.#at)
    } else if (isNamed(this.#bytes, start, end, FILE)) {
      if (this.#files.length < MOST_FILES) this.#files.push(this.#at)
    }
  }

  #value(byte: number): void {
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) return this.#open(byte === OPEN_OBJECT)
    if (byte === CLOSE_ARRAY && this.#expect === 'value or ]') return this.#close()
    const start = this.#at
    if (byte === QUOTE) {
      this.#at = skipString(this.#text, start + 1, this.#end)
      const length = this.#at - start
      if (length >= MIN_BASE64_BYTES && looksLikeBase64(this.#bytes, start + 1, this.#at - 1))
        this.#base64Bytes += length
    } else if (byte === MINUS || isDigit(byte)) this.#at = skipNumber(this.#bytes, start, this.#end)
    else this.#at = skipWord(this.#bytes, start, this.#end)
    this.#endValue()
  }

  #open(isObject: boolean): void {
    if (this.#depth === MAX_DEPTH)
      throw new Broken(`nested deeper than ${MAX_DEPTH} levels`, this.#at)
    this.#at += 1
    this.#depth += 1
    this.#isObjectAt[this.#depth] = isObject ? 1 : 0
    this.#expect = isObject ? 'key or }' : 'value or ]'
  }

  #close(): void {
    this.#at += 1
    this.#depth -= 1
    this.#endValue()
  }

  #endValue(): void {
    this.#expect = 'comma'
    if (this.#field === null || this.#depth !== 1) return
    this.#fields.set(this.#field, { start: this.#fieldStart, end: this.#at })
    this.#field = null
  }
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39

/** The key as text, escapes undone (`"mod\u0065l"` is `model`); null where it cannot be a wanted one. */
function wantedKey(bytes: Uint8Array, start: number, end: number): string | null {
  if (end - start > MAX_KEY_BYTES) return null
  let text = ''
  let escaped = false
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0
    if (byte >= 0x80) return null
    if (byte === BACKSLASH) escaped = true
    text += String.fromCharCode(byte)
  }
  return escaped ? String(JSON.parse(`"${text}"`)) : text
}

/** Without a view of the bytes: many keys of a tool's schema are long enough to be asked. */
function hasEscape(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] === BACKSLASH) return true
  return false
}

function isNamed(bytes: Uint8Array, start: number, end: number, name: string): boolean {
  const length = end - start
  if (length !== name.length) {
    // With a single one of its characters as an escape, and with all of them.
    if (length < name.length + 5 || length > name.length * 6) return false
    return hasEscape(bytes, start, end) && wantedKey(bytes, start, end) === name
  }
  for (let at = 0; at < length; at += 1) {
    if (bytes[start + at] !== name.charCodeAt(at)) return false
  }
  return true
}

/** Looks at 64 bytes of its beginning and of its middle: prose has a space in far fewer. */
function looksLikeBase64(bytes: Uint8Array, start: number, end: number): boolean {
  const middle = start + Math.floor((end - start) / 2)
  return (
    bytes.subarray(start, start + 64).every(isBase64) &&
    bytes.subarray(middle, middle + 64).every(isBase64)
  )
}

const isBase64 = (byte: number): boolean =>
  (byte >= 0x61 && byte <= 0x7a) ||
  (byte >= 0x41 && byte <= 0x5a) ||
  (byte >= 0x2f && byte <= 0x39) ||
  byte === 0x2b ||
  byte === 0x3d
