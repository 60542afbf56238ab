// A tenant's key: `slk_<id>_<secret>_<check>`. The check is the CRC-32 of the text before its underscore,
// `slk_<id>_<secret>`, so that a mistyped or cut key is refused without asking any store.
import { toBase62 } from './base62.ts'
import { crc32 } from './crc32.ts'

const ID_LENGTH = 10
const SECRET_LENGTH = 32
const CHECK_LENGTH = 6
const SECRET_START = 'slk_'.length + ID_LENGTH + 1
const SHAPE = /^slk_([0-9A-Za-z]{10})_[0-9A-Za-z]{32}_([0-9A-Za-z]{6})$/

/** 42 base62 characters hold 250.1 bits; with 512 the bias of the remainder is below 2^-260. */
export const API_KEY_RANDOM_BYTES = 64

export interface ApiKey {
  readonly id: string
  /** The whole key, as its holder sends it; what is hashed. */
  readonly text: string
}

export type ReadApiKey =
  | { readonly kind: 'key'; readonly key: ApiKey }
  | { readonly kind: 'missing' }
  | { readonly kind: 'malformed' }

/** Takes at least 64 bytes from a CSPRNG and uses the first 64. */
export function makeApiKey(randomBytes: Uint8Array): ApiKey {
  if (randomBytes.length < API_KEY_RANDOM_BYTES) throw new RangeError('too few random bytes')
  const number = randomBytes
    .subarray(0, API_KEY_RANDOM_BYTES)
    .reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  const characters = toBase62(number, ID_LENGTH + SECRET_LENGTH)
  return formatApiKey(characters.slice(0, ID_LENGTH), characters.slice(ID_LENGTH))
}

/** The same key with another secret: what is known of it by its id stays. */
export function renewApiKey(id: string, randomBytes: Uint8Array): ApiKey {
  const other = makeApiKey(randomBytes)
  return formatApiKey(id, other.text.slice(SECRET_START, SECRET_START + SECRET_LENGTH))
}

export function formatApiKey(id: string, secret: string): ApiKey {
  const body = `slk_${id}_${secret}`
  return { id, text: `${body}_${checkOf(body)}` }
}

export function readApiKey(presented: string | null): ReadApiKey {
  if (presented === null || presented === '') return { kind: 'missing' }
  const [, id, check] = SHAPE.exec(presented) ?? []
  if (id === undefined || check === undefined) return { kind: 'malformed' }
  const body = presented.slice(0, -(CHECK_LENGTH + 1))
  return check === checkOf(body)
    ? { kind: 'key', key: { id, text: presented } }
    : { kind: 'malformed' }
}

function checkOf(body: string): string {
  return toBase62(BigInt(crc32(body)), CHECK_LENGTH)
}
