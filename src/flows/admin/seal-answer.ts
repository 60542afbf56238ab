// Encrypts an answer that is kept for a repetition of its request. AES-GCM under a key that is derived from the
// pepper, so that the database alone tells nothing of a key that was shown once.

export interface AnswerSealer {
  seal(body: string, name: string): Promise<string>
  /** Null: it was sealed under another pepper, or changed. */
  unseal(sealed: string, name: string): Promise<string | null>
}

const IV_BYTES = 12
const encoder = new TextEncoder()

/** `name` is bound to the text: what was sealed under one cannot be read under another. */
export function createAnswerSealer(pepper: string): AnswerSealer {
  let derived: Promise<CryptoKey> | null = null
  const parameters = (iv: Uint8Array<ArrayBuffer>, name: string) => ({
    name: 'AES-GCM',
    iv,
    additionalData: encoder.encode(name),
  })
  return {
    async seal(body, name) {
      derived ??= deriveKey(pepper)
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
      const bytes = encoder.encode(body)
      const sealed = await crypto.subtle.encrypt(parameters(iv, name), await derived, bytes)
      return `${toBase64(iv)}.${toBase64(new Uint8Array(sealed))}`
    },
    async unseal(sealed, name) {
      derived ??= deriveKey(pepper)
      const [iv, bytes] = sealed.split('.').map(fromBase64)
      if (iv === undefined || bytes === undefined) return null
      const key = await derived
      const opened = await crypto.subtle.decrypt(parameters(iv, name), key, bytes).catch(() => null)
      return opened === null ? null : new TextDecoder().decode(opened)
    },
  }
}

async function deriveKey(pepper: string): Promise<CryptoKey> {
  const raw = encoder.encode(pepper)
  const base = await crypto.subtle.importKey('raw', raw, 'HKDF', false, ['deriveKey'])
  const hkdf = {
    name: 'HKDF',
    hash: 'SHA-256',
    salt: new Uint8Array(),
    info: encoder.encode('sluice admin answers v1'),
  }
  const aes = { name: 'AES-GCM', length: 256 }
  return crypto.subtle.deriveKey(hkdf, base, aes, false, ['encrypt', 'decrypt'])
}

const toBase64 = (bytes: Uint8Array): string =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))

const fromBase64 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
