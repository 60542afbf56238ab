// What Claude made for a tenant is remembered as the tenant's before the tenant hears of it. Where that fails it is undone
// at Claude, as far as it can be: nobody could ever ask for it.
import { type OwnedKind, readSeen } from '../../core/owned/owned-object.ts'
import { GatewayError } from '../../core/errors.ts'
import type { Account } from '../../core/answering/account.ts'
import type { Services } from '../../ports.ts'
import type { Call } from '../call.ts'

export interface MadeObject {
  readonly kind: OwnedKind
  readonly account: string
  /** Claude's own JSON. */
  readonly json: string
}

/** Throws where what Claude answered is no such object, or cannot be remembered. */
export async function keepObject(
  services: Services,
  call: Call,
  { kind, account, json }: MadeObject,
): Promise<string> {
  const seen = readSeen(kind, json)
  if (seen === null) throw new GatewayError('upstream_invalid', "Claude's answer cannot be read")
  const { id, shown, isFinal, expiresAt } = seen
  const { caller, user, scope } = call
  try {
    await services.owned.keep({
      id,
      kind,
      tenant: caller.tenant,
      account,
      key: caller.keyId,
      user,
      createdAt: services.now(),
      expiresAt,
      shown,
      isFinal,
    })
  } catch (error) {
    scope.defer(undo(services, call, { kind, account, id }))
    throw error
  }
  return id
}

interface Unkept {
  readonly kind: OwnedKind
  readonly account: string
  readonly id: string
}

async function undo(services: Services, call: Call, { kind, account, id }: Unkept): Promise<void> {
  const { accounts, upstream, log } = services
  const own = (await accounts.usable()).find((each: Account) => each.id === account)
  const [method, target] =
    kind === 'file' ? ['DELETE', `/v1/files/${id}`] : ['POST', `/v1/messages/batches/${id}/cancel`]
  log({ event: 'owner_not_kept', kind, id, account, tenant: call.caller.tenant })
  if (own === undefined) return
  const signal = AbortSignal.timeout(services.config.upstream.firstByteTimeoutMs)
  const headers = call.headers
  await upstream
    .send(own, { method, target, headers, body: null, signal })
    .then((response) => response.body?.cancel())
    .catch(() => {})
}
