// Browser tokens are signed and checked here, offline: HS256 with a key derived from the pepper, so that nothing of a
// token is stored and a forged one costs no store call.
import { SignJWT } from 'jose/jwt/sign'
import { jwtVerify } from 'jose/jwt/verify'
import {
  BROWSER_TOKEN_PREFIX,
  type BrowserToken,
  MAX_TOKEN_CHARS,
  readClaims,
  toClaims,
} from '../core/keys/browser-token.ts'

export type OpenedToken =
  | { readonly kind: 'token'; readonly token: BrowserToken }
  | { readonly kind: 'malformed' }
  /** Not signed by us, or under a pepper that is no longer ours. */
  | { readonly kind: 'unknown' }

export interface TokenSeal {
  seal(token: BrowserToken): Promise<string>
  /** Says nothing of its expiry: that is asked of each call's own clock. */
  open(text: string): Promise<OpenedToken>
}

const ALGORITHM = 'HS256'
/** Another purpose of the pepper has another text, and so another key. */
const PURPOSE = 'sluice browser token v1'

/** @param peppers the current one first; the others' tokens are still good, but none is made with them */
export function createTokenSeal(peppers: readonly string[]): TokenSeal {
  let derived: Promise<readonly CryptoKey[]> | null = null
  const keys = () => (derived ??= Promise.all(peppers.map(deriveKey)))
  return {
    async seal(token) {
      const [key] = await keys()
      if (key === undefined) throw new RangeError('there is no pepper')
      const signing = new SignJWT({ ...toClaims(token) })
      return `${BROWSER_TOKEN_PREFIX}${await signing.setProtectedHeader({ alg: ALGORITHM }).sign(key)}`
    },
    async open(text) {
      const signed = text.slice(BROWSER_TOKEN_PREFIX.length)
      if (text.length > MAX_TOKEN_CHARS || !SHAPE.test(signed)) return { kind: 'malformed' }
      for (const key of await keys()) {
        const claims = await verify(signed, key)
        if (claims === null) continue
        const token = readClaims(claims)
        return token === null ? { kind: 'malformed' } : { kind: 'token', token }
      }
      return { kind: 'unknown' }
    },
  }
}

const SHAPE = /^[\w-]+\.[\w-]+\.[\w-]{43}$/
/** The library would judge the expiry by its own clock. */
const AT_THE_BEGINNING = new Date(0)

async function verify(signed: string, key: CryptoKey): Promise<Record<string, unknown> | null> {
  try {
    const options = { algorithms: [ALGORITHM], currentDate: AT_THE_BEGINNING }
    return { ...(await jwtVerify(signed, key, options)).payload }
  } catch {
    return null
  }
}

async function deriveKey(pepper: string): Promise<CryptoKey> {
  const encoder = new TextEncoder()
  const source = await crypto.subtle.importKey('raw', encoder.encode(pepper), 'HKDF', false, [
    'deriveKey',
  ])
  return crypto.subtle.deriveKey(
    { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(32), info: encoder.encode(PURPOSE) },
    source,
    { name: 'HMAC', hash: 'SHA-256', length: 256 },
    false,
    ['sign', 'verify'],
  )
}
