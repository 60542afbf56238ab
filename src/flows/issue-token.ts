// A key lends a page what it may do itself, or less: the token is signed, and nothing of it is kept but its origin.
import type { BrowserToken } from '../core/keys/browser-token.ts'
import { namesOrigin } from '../core/keys/origin.ts'
import { type TokenRequest } from '../core/keys/token-request.ts'
import { GatewayError } from '../core/errors.ts'
import type { Caller, Services } from '../ports.ts'
import type { OriginCheck } from './check-origin.ts'
import type { TokenSeal } from './seal-token.ts'

export interface IssuedToken {
  readonly token: string
  readonly expires_at: string
}

export interface TokenOffice {
  readonly services: Services
  readonly seal: TokenSeal
  readonly origins: OriginCheck
}

export async function issueToken(
  { services, seal, origins }: TokenOffice,
  caller: Caller,
  request: TokenRequest,
): Promise<IssuedToken> {
  if (caller.token !== undefined) {
    throw new GatewayError('key_malformed', 'x-api-key: expected a key (slk_…): a token makes none')
  }
  const isListed = namesOrigin(caller.origins, request.origin)
  if (caller.origins !== null && !isListed) {
    throw new GatewayError('origin_not_allowed', 'origin: this key does not allow it')
  }
  const { ttlSeconds, ...bounds } = request
  const expiresAt = (Math.floor(services.now() / 1000) + ttlSeconds) * 1000
  const token: BrowserToken = {
    tenant: caller.tenant,
    keyId: caller.keyId,
    grant: { id: newTokenId(), ...bounds, expiresAt },
  }
  const [text] = await Promise.all([
    seal.seal(token),
    isListed ? null : keepOrigin(origins, request.origin, expiresAt),
  ])
  return { token: text, expires_at: new Date(expiresAt).toISOString() }
}

/** A token whose preflight would be refused is worth nothing. */
const keepOrigin = (origins: OriginCheck, origin: string, expiresAt: number): Promise<void> =>
  origins.allow(origin, expiresAt).catch((cause: unknown) => {
    throw new GatewayError('store_unavailable', 'The store of origins cannot be reached', { cause })
  })

const newTokenId = (): string => crypto.randomUUID().replaceAll('-', '')
