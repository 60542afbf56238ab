// Who may see which session, and what sessions are called.
import { GatewayError } from '../core/errors.ts'
import type { Caller, Services } from '../ports.ts'
import type { SessionKey } from '../ports/sessions.ts'
import { createKeyHasher, toHex } from './hash-key.ts'

const ID_BYTES = 16

/**
 * A key sees its tenant's sessions; a page sees its end user's, or, where its token names none, only what that very
 * token has begun.
 */
export function ownerOf({ tenant, token }: Caller): Pick<SessionKey, 'tenant' | 'user'> {
  if (token === undefined) return { tenant, user: null }
  return { tenant, user: token.user === '' ? `token ${token.id}` : token.user }
}

export const isSessionId = (text: string): boolean => /^ses_[\da-f]{32}$/.test(text)

/** The same for the same idempotency key: the caller of a turn that is asked for again may not know its session. */
export async function newSessionId(
  { config }: Services,
  caller: Caller,
  idempotencyKey: string | null,
): Promise<string> {
  if (idempotencyKey === null) {
    return `ses_${toHex(crypto.getRandomValues(new Uint8Array(ID_BYTES)))}`
  }
  const hash = createKeyHasher(config.keys.pepper)
  const { tenant, user } = ownerOf(caller)
  const digest = await hash(JSON.stringify(['session', tenant, user, idempotencyKey]))
  return `ses_${digest.slice(0, 2 * ID_BYTES)}`
}

export const storeFailed = (cause: unknown): GatewayError =>
  new GatewayError('session_store_unavailable', 'The store of sessions does not answer', { cause })
