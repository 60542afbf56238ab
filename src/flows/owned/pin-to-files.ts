// A message that names a file of Claude's goes to the account that keeps it. Another tenant's file is not there; one that
// nobody uploaded through us is Claude's to judge.
import { GatewayError } from '../../core/errors.ts'
import type { ObjectOwner } from '../../ports/owned-objects.ts'
import type { Services } from '../../ports.ts'
import type { Call } from '../call.ts'

/** Throws where it may not name one, or where no account has all of them. */
export async function pinToFiles(
  services: Services,
  call: Call,
  ids: readonly string[],
): Promise<Call> {
  const owners = await ownersOf(services, ids)
  const foreign = owners.find(({ tenant }) => tenant !== call.caller.tenant)
  if (foreign !== undefined) throw new GatewayError('not_found', `File not found: ${foreign.id}`)
  const account = accountOf(owners)
  return account === null ? call : { ...call, pinnedAccount: account }
}

/** Null: any. */
export function accountOf(owners: readonly ObjectOwner[]): string | null {
  const accounts = new Set(owners.map(({ account }) => account))
  if (accounts.size > 1) {
    const message = 'file_id: these files lie at different accounts, and no request can have both'
    throw new GatewayError('invalid_request', message)
  }
  const [account = null] = accounts
  return account
}

/** Whose a file is never changes, so an isolate asks once. */
const known = new WeakMap<object, Map<string, ObjectOwner>>()
const MOST_KNOWN = 10_000

export async function ownersOf(
  { owned }: Services,
  ids: readonly string[],
): Promise<readonly ObjectOwner[]> {
  const own = known.get(owned) ?? new Map<string, ObjectOwner>()
  known.set(owned, own)
  const missing = ids.filter((id) => !own.has(id))
  const found = missing.length === 0 ? [] : await owned.findOwners(missing)
  for (const owner of found) own.set(owner.id, owner)
  const owners = ids.flatMap((id) => own.get(id) ?? [])
  for (const oldest of own.keys()) {
    if (own.size <= MOST_KNOWN) break
    own.delete(oldest)
  }
  return owners
}
