// The tokens of JSON (RFC 8259) in raw UTF-8: each function takes where a token begins and gives where it
// ends, or throws `Broken`. Strings are nearly all of a body, so `skipString` is the loop that counts.
import { sequenceLength } from './utf8.ts'

export const QUOTE = 0x22
export const OPEN_ARRAY = 0x5b
export const CLOSE_ARRAY = 0x5d
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d
const BACKSLASH = 0x5c

/** Never leaves `scanObject`, which turns it into a value: it only unwinds a scan that cannot go on. */
export class Broken extends Error {
  readonly what: string
  readonly at: number

  constructor(what: string, at: number) {
    super(what)
    this.what = what
    this.at = at
  }
}

export const isSpace = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

/** A body, with what reads several of its bytes at once. */
export interface JsonText {
  readonly bytes: Uint8Array
  readonly view: DataView
}

export const jsonText = (bytes: Uint8Array): JsonText => ({
  bytes,
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
})

const LOW_BITS = 0x01010101
const HIGH_BITS = 0x80808080
const QUOTES = QUOTE * LOW_BITS
const BACKSLASHES = BACKSLASH * LOW_BITS
const SPACES = 0x20 * LOW_BITS

/**
 * To the first byte that does not stand for itself inside a string: a quote, a backslash, a control character, anything
 * outside ASCII. Four bytes a step: in each sum the high bit of a byte is set where it is one of them. A borrow may set
 * it in bytes above such a one, never below, so the lowest that is set is true.
 */
function skipPlain({ bytes, view }: JsonText, start: number, end: number): number {
  let at = start
  for (; at + 4 <= end; at += 4) {
    const word = view.getInt32(at, true)
    const quote = word ^ QUOTES
    const backslash = word ^ BACKSLASHES
    const found =
      (((quote - LOW_BITS) & ~quote) |
        ((backslash - LOW_BITS) & ~backslash) |
        ((word - SPACES) & ~word) |
        word) &
      HIGH_BITS
    if (found !== 0) return at + ((31 - Math.clz32(found & -found)) >> 3)
  }
  while (at < end && isPlain(bytes[at] ?? 0)) at += 1
  return at
}

const isPlain = (byte: number): boolean =>
  byte >= 0x20 && byte < 0x80 && byte !== QUOTE && byte !== BACKSLASH

/** From after the opening quote to after the closing one. */
export function skipString(text: JsonText, start: number, end: number): number {
  const { bytes } = text
  let at = start
  for (;;) {
    at = skipPlain(text, at, end)
    if (at >= end) throw new Broken('unterminated string', at)
    const byte = bytes[at] ?? 0
    if (byte === QUOTE) return at + 1
    if (byte === BACKSLASH) at = skipEscape(bytes, at, end)
    else if (byte < 0x20) throw new Broken('control character in a string', at)
    else if (isPlainTriple(bytes, at, end)) {
      do at += 3
      while (isPlainTriple(bytes, at, end))
    } else {
      const length = sequenceLength(bytes, at, end)
      if (length === 0) throw new Broken('invalid UTF-8', at)
      at += length
    }
  }
}

/** The common case of Chinese, Japanese and Korean text: three bytes with nothing to keep out. */
const isPlainTriple = (bytes: Uint8Array, at: number, end: number): boolean => {
  const lead = bytes[at] ?? 0
  if (lead <= 0xe0 || lead >= 0xf0 || lead === 0xed || at + 2 >= end) return false
  return ((bytes[at + 1] ?? 0) & 0xc0) === 0x80 && ((bytes[at + 2] ?? 0) & 0xc0) === 0x80
}

/** The characters after a backslash: " \ / b f n r t. */
const SIMPLE_ESCAPES = new Uint8Array(256)
for (const byte of [0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74]) SIMPLE_ESCAPES[byte] = 1

function skipEscape(bytes: Uint8Array, at: number, end: number): number {
  const kind = at + 1 < end ? (bytes[at + 1] ?? 0) : 0
  if (SIMPLE_ESCAPES[kind] === 1) return at + 2
  if (kind !== 0x75) throw new Broken('invalid escape', at)
  const unit = hex4(bytes, at + 2, end)
  if (unit < 0) throw new Broken('invalid escape', at)
  if (unit < 0xd800 || unit > 0xdfff) return at + 6
  // Half a pair cannot be written in UTF-8: Claude refuses it too.
  const isPair =
    unit < 0xdc00 && at + 7 < end && bytes[at + 6] === BACKSLASH && bytes[at + 7] === 0x75
  const low = isPair ? hex4(bytes, at + 8, end) : -1
  if (low < 0xdc00 || low > 0xdfff) throw new Broken('lone surrogate in a string', at)
  return at + 12
}

function hex4(bytes: Uint8Array, start: number, end: number): number {
  if (start + 4 > end) return -1
  let unit = 0
  for (let at = start; at < start + 4; at += 1) {
    const digit = hexDigit(bytes[at] ?? 0)
    if (digit < 0) return -1
    unit = unit * 16 + digit
  }
  return unit
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

export function skipNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = bytes[start] === 0x2d ? start + 1 : start
  // No digit may follow a leading zero: it would be left over as a second token.
  at = at < end && bytes[at] === 0x30 ? at + 1 : skipDigits(bytes, at, end)
  if (at < end && bytes[at] === 0x2e) at = skipDigits(bytes, at + 1, end)
  if (at < end && ((bytes[at] ?? 0) | 0x20) === 0x65) {
    const sign = at + 1 < end ? bytes[at + 1] : 0
    at = skipDigits(bytes, sign === 0x2b || sign === 0x2d ? at + 2 : at + 1, end)
  }
  return at
}

function skipDigits(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && (bytes[at] ?? 0) >= 0x30 && (bytes[at] ?? 0) <= 0x39) at += 1
  if (at === start) throw new Broken('invalid number', Math.min(at, end))
  return at
}

const words = ['true', 'false', 'null'].map((word) =>
  Array.from(word, (char) => char.charCodeAt(0)),
)

export function skipWord(bytes: Uint8Array, at: number, end: number): number {
  for (const word of words)
    if (at + word.length <= end && word.every((byte, index) => bytes[at + index] === byte))
      return at + word.length
  throw new Broken('unexpected character', at)
}
