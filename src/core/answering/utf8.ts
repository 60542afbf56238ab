// UTF-8 without a platform: the core has no TextDecoder. For short texts (a model's name, one event), since a
// platform's decoder is faster on long ones.

/** Code units at a time: an argument list has to stay small. */
const BLOCK = 2048

/** The text of well-formed UTF-8; a malformed byte becomes U+FFFD. */
export function decodeUtf8(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const units = new Uint16Array(Math.min(BLOCK, end - start) + 1)
  let text = ''
  let at = start
  while (at < end) {
    let count = 0
    while (at < end && count < BLOCK) {
      const length = sequenceLength(bytes, at, end)
      const point = length === 0 ? 0xfffd : codePoint(bytes, at, length)
      at += length || 1
      if (point > 0xffff) {
        // A character beyond the first plane is two code units.
        units[count++] = 0xd7c0 + (point >> 10)
        units[count++] = 0xdc00 | (point & 0x3ff)
      } else units[count++] = point
      if (count >= units.length - 1) break
    }
    text += String.fromCharCode(...units.subarray(0, count))
  }
  return text
}

/** How many bytes (1 to 4) the well-formed sequence at `at` has; 0: it is malformed or cut by `end`. */
export function sequenceLength(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at] ?? 0
  if (lead < 0x80) return 1
  // The second byte's range keeps out overlong forms, surrogates and what lies beyond U+10FFFF.
  const second = at + 1 < end ? (bytes[at + 1] ?? 0) : 0
  if (lead < 0xe0) return lead >= 0xc2 && isTail(second) ? 2 : 0
  if (at + 2 >= end || !isTail(bytes[at + 2] ?? 0)) return 0
  if (lead < 0xf0) {
    const [low, high] = [lead === 0xe0 ? 0xa0 : 0x80, lead === 0xed ? 0x9f : 0xbf]
    return second >= low && second <= high ? 3 : 0
  }
  if (lead > 0xf4 || at + 3 >= end || !isTail(bytes[at + 3] ?? 0)) return 0
  const [low, high] = [lead === 0xf0 ? 0x90 : 0x80, lead === 0xf4 ? 0x8f : 0xbf]
  return second >= low && second <= high ? 4 : 0
}

const isTail = (byte: number): boolean => (byte & 0xc0) === 0x80

function codePoint(bytes: Uint8Array, at: number, length: number): number {
  let point = bytes[at] ?? 0
  if (length > 1) point &= 0x7f >> length
  for (let next = at + 1; next < at + length; next += 1)
    point = (point << 6) | ((bytes[next] ?? 0) & 0x3f)
  return point
}
