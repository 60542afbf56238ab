// Who calls, and from where: the limits around all tenants as far as this isolate remembers them, then the key or token,
// then the address and the origin that it may be used from. Warm, all of it without a store.
import { allowsAddress } from '../core/keys/cidr.ts'
import { namesOrigin } from '../core/keys/origin.ts'
import { GatewayError } from '../core/errors.ts'
import type { Caller, Services } from '../ports.ts'
import { type AuthenticatorOptions, createAuthenticator, type KeyRefusal } from './authenticate.ts'
import type { RequestScope } from './call.ts'
import { createFailureCounts } from './count-failures.ts'
import { peppersOf } from './hash-key.ts'
import { refusalOfKey } from './refuse-key.ts'
import { limitError } from './refuse-limit.ts'
import type { TokenSeal } from './seal-token.ts'

export type Identifier = (request: Request, scope: RequestScope) => Promise<Caller>

/** What one who guesses is told; a key that was good once is no guess. */
const GUESSES: readonly KeyRefusal[] = [
  'key_malformed',
  'key_unknown',
  'token_malformed',
  'token_unknown',
]

/** One for the isolate: it remembers the keys that it read, and who failed. */
export function createIdentifier(services: Services, seal: TokenSeal): Identifier {
  const authenticate = createAuthenticator({
    keys: takingAccountsAlong(services),
    seal,
    peppers: peppersOf(services.config.keys),
    cacheMs: services.config.keys.cacheMs,
    now: services.now,
  })
  const failures = createFailureCounts(services.config.limits.authFailuresPerMinute, services.now)
  return async (request, scope) => {
    const startedAt = services.now()
    const { address } = scope
    const refusal = services.limits.recall(address)
    if (refusal !== null) throw limitError(refusal, startedAt)
    const suspectForMs = failures.suspectForMs(address)
    const result = await authenticate(request.headers, {
      defer: (work) => scope.defer(work),
      onlyKnown: suspectForMs !== null,
    })
    scope.timing.authMs = services.now() - startedAt
    if (result.kind === 'refused') {
      const isGuess = GUESSES.includes(result.reason)
      if (isGuess && suspectForMs !== null) throw tooManyFailures(suspectForMs)
      if (isGuess) failures.note(address)
      throw refusalOfKey(result.reason)
    }
    checkPlace(result.caller, address, request.headers.get('origin'))
    return { ...result.caller, address }
  }
}

const tooManyFailures = (retryAfterMs: number): GatewayError =>
  new GatewayError('ip_requests', 'Too many wrong keys from this address', { retryAfterMs })

/** Keys and accounts are trusted equally long, so a key is read when the accounts are: both then, side by side. */
function takingAccountsAlong({ keys, accounts }: Services): AuthenticatorOptions['keys'] {
  return {
    findKey(keyId) {
      void accounts.usable()
      return keys.findKey(keyId)
    },
    replaceHash: (keyId, change) => keys.replaceHash(keyId, change),
  }
}

function checkPlace(caller: Caller, address: string | null, origin: string | null): void {
  // A key's addresses are those of the servers that hold it; its tokens are for browsers, which are anywhere.
  if (caller.token === undefined && !allowsAddress(caller.ips, address)) {
    throw new GatewayError('ip_not_allowed', 'This key may not be used from this address')
  }
  if (!mayCallFrom(caller, origin)) {
    const message = 'origin: this key or token may not be used from there'
    throw new GatewayError('origin_not_allowed', message)
  }
}

/**
 * A key without origins is closed to pages and open to servers. A token is for pages of its one origin, so a call that
 * names none is not what it was lent for; where its key lists origins, it is held to these as well.
 */
function mayCallFrom({ origins, token }: Caller, origin: string | null): boolean {
  if (token === undefined) return origin === null || namesOrigin(origins, origin)
  return origin === token.origin && (origins === null || namesOrigin(origins, origin))
}
