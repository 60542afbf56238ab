// Accounts as a store keeps them, with a credential sealed as the gateway does it.
import type { StoredAccount } from '../../src/core/answering/account.ts'
import { createCredentialSealer } from '../../src/flows/seal-credential.ts'

export const TEST_PEPPER = 'p'.repeat(32)
export const testSealer = createCredentialSealer([TEST_PEPPER])

export const aStoredAccount = (
  id: string,
  changes: Partial<StoredAccount> = {},
): StoredAccount => ({
  id,
  baseUrl: null,
  sealedKey: null,
  sealedAt: null,
  locationHint: null,
  fields: {},
  drainingSince: null,
  createdAt: 0,
  ...changes,
})

export async function anAddedAccount(
  id: string,
  changes: Partial<StoredAccount> = {},
): Promise<StoredAccount> {
  const owner = { id, baseUrl: changes.baseUrl ?? null }
  const sealedKey = await testSealer.seal(`sk-ant-sim-${id}`, owner)
  return aStoredAccount(id, { sealedKey, sealedAt: 0, ...changes })
}
