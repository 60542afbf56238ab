// The engine keeps every key and value as a "binary string": a JavaScript string in which each character is one
// byte (latin1). Such strings are compact, hash fast as map keys, and compare in byte order.

// oxlint-disable-next-line no-control-regex -- the range of ASCII is what is meant
const ascii = /^[\0-\x7f]*$/

/** Unicode text to the binary string of its UTF-8 bytes. */
export function fromUtf8(text: string): string {
  return ascii.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}

/** A binary string read as UTF-8; bytes that are no UTF-8 become U+FFFD. */
export function toUtf8(binary: string): string {
  return ascii.test(binary) ? binary : Buffer.from(binary, 'latin1').toString('utf8')
}

export function toBase64(binary: string): string {
  return Buffer.from(binary, 'latin1').toString('base64')
}
