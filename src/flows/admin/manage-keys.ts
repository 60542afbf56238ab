// What an operator does with keys. A secret is made here, said once, and only its hash is stored.
import { type KeyRecord, showKey } from '../../core/admin/key-body.ts'
import { GatewayError } from '../../core/errors.ts'
import { API_KEY_RANDOM_BYTES, makeApiKey, renewApiKey } from '../../core/keys/api-key.ts'
import type { AdminSession, KeyChange } from '../../ports/admin.ts'
import type { KeyHasher } from '../hash-key.ts'
import type { Plan } from './answer-once.ts'
import { findTenant, noTenant } from './manage-tenants.ts'

export interface KeyDesk {
  readonly session: AdminSession
  readonly hash: KeyHasher
  readonly now: number
}

export async function planKey(
  { session, hash, now }: KeyDesk,
  tenant: string,
  given: KeyChange,
): Promise<Plan> {
  await findTenant(session, tenant)
  const { id, text } = makeApiKey(randomBytes())
  const key: KeyRecord = {
    id,
    tenant,
    name: '',
    createdAt: now,
    lastUsedAt: null,
    expiresAt: null,
    models: null,
    origins: null,
    ips: null,
    disabled: false,
    ...given,
  }
  const secretHash = await hash(text)
  return {
    status: 201,
    body: { ...showKey(key), key: text },
    async commit(write) {
      if (!(await session.addKey(key, secretHash, write))) throw noTenant()
    },
  }
}

/** The id stays, and with it the key's bounds and its usage; the former secret works for the grace. */
export async function planRotation(
  { session, hash, now }: KeyDesk,
  id: string,
  graceMs: number,
): Promise<Plan> {
  const key = await session.findKey(id)
  if (key === null) throw noKey()
  const { text } = renewApiKey(id, randomBytes())
  const secretHash = await hash(text)
  return {
    status: 200,
    body: { ...showKey(key), key: text },
    async commit(write) {
      const rotation = { secretHash, formerUntil: now + graceMs }
      if (!(await session.rotateKey(id, rotation, write))) throw noKey()
    },
  }
}

export const noKey = (): GatewayError =>
  new GatewayError('not_found', 'key: there is none with this id')

const randomBytes = (): Uint8Array => crypto.getRandomValues(new Uint8Array(API_KEY_RANDOM_BYTES))
