// Base62 of a fixed width: digits, then upper case, then lower case, the most significant character first.

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const BASE = 62n

/** The last `width` characters of the number: what is above them is cut off. */
export function toBase62(number: bigint, width: number): string {
  let rest = number
  let text = ''
  while (text.length < width) {
    text = ALPHABET.charAt(Number(rest % BASE)) + text
    rest /= BASE
  }
  return text
}
