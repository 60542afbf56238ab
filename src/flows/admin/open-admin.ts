// Who may use the admin plane: one who holds the admin token, and nobody else. A tenant's key or browser token is
// a wrong token here like any other. No store is asked.
import { equalInConstantTime } from '../../core/keys/constant-time.ts'
import { GatewayError } from '../../core/errors.ts'
import type { AdminSession, AdminWrite, StoredAnswer } from '../../ports/admin.ts'
import type { Services } from '../../ports.ts'
import type { RequestScope } from '../call.ts'
import { createKeyHasher } from '../hash-key.ts'

/** One admin request: its view of the database, and its name on what it changes. */
export interface AdminRequest {
  readonly session: AdminSession
  readonly write: (answer: StoredAnswer | null) => AdminWrite
}

/** Throws the refusal. Gives a name for the holder of the token, the same for as long as the token is. */
export function createAdminGuard(services: Services): (headers: Headers) => Promise<string> {
  const hash = createKeyHasher(services.config.keys.pepper)
  let expected: Promise<string> | null = null
  return async (headers) => {
    const [, token] = /^bearer +(\S+)$/i.exec(headers.get('authorization') ?? '') ?? []
    if (token === undefined) {
      throw new GatewayError('key_missing', 'authorization: expected Bearer and the admin token')
    }
    expected ??= hash(services.config.adminToken)
    const [presented, right] = await Promise.all([hash(token), expected])
    if (!equalInConstantTime(presented, right)) {
      throw new GatewayError('key_unknown', 'authorization: this is not the admin token')
    }
    // Tells one token from the next in the audit trail, and nothing of the token.
    return `admin:${right.slice(0, 8)}`
  }
}

/** As D1 makes them; anything else is not worth a round trip. */
const BOOKMARK = /^[0-9A-Za-z-]{1,200}$/

export function openAdminRequest(
  services: Services,
  scope: RequestScope,
  { actor, request }: { readonly actor: string; readonly request: Request },
): AdminRequest {
  const bookmark = request.headers.get('sluice-bookmark')
  if (bookmark !== null && !BOOKMARK.test(bookmark)) {
    throw new GatewayError(
      'invalid_request',
      'sluice-bookmark: expected the text of an earlier answer',
    )
  }
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  const session = services.admin.open({ from: isRead ? 'nearest' : 'primary', bookmark })
  return {
    session,
    write: (answer) => ({
      at: services.now(),
      actor,
      requestId: scope.requestId,
      eventId: `evt_${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}`,
      answer,
    }),
  }
}
