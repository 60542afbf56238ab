// An added account's credential at rest: AES-GCM under a key that HKDF derives from KEY_PEPPER. What it belongs to is
// bound in, so that nobody who can only write to the database can move it to another account or another address.
// Sealed: version (1 byte), id of the pepper (4), nonce (12), ciphertext and tag, in lower-case hex.
export interface CredentialSealer {
  /** Never the same text twice. */
  seal(credential: string, owner: CredentialOwner): Promise<string>
  open(sealed: string, owner: CredentialOwner): Promise<OpenedCredential>
}

export interface CredentialOwner {
  readonly id: string
  readonly baseUrl: string | null
}

export type OpenedCredential =
  /** `isCurrent`: sealed under the first of the peppers. */
  | { readonly kind: 'opened'; readonly credential: string; readonly isCurrent: boolean }
  | { readonly kind: 'unreadable'; readonly problem: string }

/** Another way of sealing gets another number, and this one stays readable. */
const VERSION = 1
const ID_BYTES = 4
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HEADER_BYTES = 1 + ID_BYTES + NONCE_BYTES

interface SealingKey {
  /** Tells which pepper sealed, and nothing about it. */
  readonly id: Uint8Array<ArrayBuffer>
  readonly key: CryptoKey
}

/** @param peppers the first seals; every one of them opens */
export function createCredentialSealer(peppers: readonly string[]): CredentialSealer {
  let derived: Promise<readonly SealingKey[]> | null = null
  const keys = (): Promise<readonly SealingKey[]> =>
    (derived ??= Promise.all(peppers.map((pepper) => deriveSealingKey(pepper))))
  return {
    async seal(credential, owner) {
      const [own] = await keys()
      if (own === undefined) throw new RangeError('Cannot seal without a pepper')
      const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES))
      const plain = new TextEncoder().encode(credential)
      const sealed = await crypto.subtle.encrypt(algorithm(nonce, owner), own.key, plain)
      return toHex([VERSION, ...own.id, ...nonce, ...new Uint8Array(sealed)])
    },
    async open(sealed, owner) {
      const bytes = fromHex(sealed)
      if (bytes === null || bytes.length < HEADER_BYTES + TAG_BYTES) {
        return unreadable('its credential is not in the form in which we store one')
      }
      if (bytes[0] !== VERSION) return unreadable('its credential was sealed by another version')
      const id = bytes.subarray(1, 1 + ID_BYTES)
      const all = await keys()
      const own = all.find((key) => toHex(key.id) === toHex(id))
      if (own === undefined) return unreadable('its credential was sealed under another KEY_PEPPER')
      const nonce = bytes.slice(1 + ID_BYTES, HEADER_BYTES)
      try {
        const plain = await crypto.subtle.decrypt(
          algorithm(nonce, owner),
          own.key,
          bytes.slice(HEADER_BYTES),
        )
        const credential = new TextDecoder().decode(plain)
        return { kind: 'opened', credential, isCurrent: own === all[0] }
      } catch {
        return unreadable('its credential, id or base_url was changed in the database')
      }
    },
  }
}

async function deriveSealingKey(pepper: string): Promise<SealingKey> {
  const material = await crypto.subtle.importKey('raw', encode(pepper), 'HKDF', false, [
    'deriveBits',
    'deriveKey',
  ])
  const derivation = (purpose: string) => ({
    name: 'HKDF',
    hash: 'SHA-256',
    salt: encode('sluice'),
    info: encode(`account credential v${VERSION} ${purpose}`),
  })
  const [id, key] = await Promise.all([
    crypto.subtle.deriveBits(derivation('pepper id'), material, ID_BYTES * 8),
    crypto.subtle.deriveKey(derivation('key'), material, { name: 'AES-GCM', length: 256 }, false, [
      'encrypt',
      'decrypt',
    ]),
  ])
  return { id: new Uint8Array(id), key }
}

const algorithm = (iv: Uint8Array<ArrayBuffer>, { id, baseUrl }: CredentialOwner) => ({
  name: 'AES-GCM',
  iv,
  additionalData: encode(JSON.stringify([VERSION, id, baseUrl])),
})

// A copy: the platforms do not agree on what holds the bytes of an encoder.
const encode = (text: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(new TextEncoder().encode(text))

const unreadable = (problem: string): OpenedCredential => ({ kind: 'unreadable', problem })

const toHex = (bytes: Iterable<number>): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

function fromHex(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^(?:[0-9a-f]{2})+$/.test(text)) return null
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i += 1)
    bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return bytes
}
