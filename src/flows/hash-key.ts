// What is stored of a key: HMAC-SHA-256 of its whole text under the pepper. Web Crypto, since that is the same
// on every runtime.

interface Peppers {
  readonly pepper: string
  readonly previousPepper: string | null
}

/** The current one first. */
export const peppersOf = ({ pepper, previousPepper }: Peppers): readonly string[] =>
  previousPepper === null ? [pepper] : [pepper, previousPepper]

export type KeyHasher = (keyText: string) => Promise<string>

/** Lower-case hex. The pepper is imported once, at the first key. */
export function createKeyHasher(pepper: string): KeyHasher {
  const encoder = new TextEncoder()
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  let imported: CryptoKey | null = null
  return async (keyText) => {
    imported ??= await crypto.subtle.importKey('raw', encoder.encode(pepper), algorithm, false, [
      'sign',
    ])
    const digest = await crypto.subtle.sign('HMAC', imported, encoder.encode(keyText))
    return toHex(new Uint8Array(digest))
  }
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX[byte] ?? ''
  return text
}
