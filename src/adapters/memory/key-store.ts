// Keys in memory, for tests and for trying the flows without a database. A key's tenant is given with it.
import { namesOrigin } from '../../core/keys/origin.ts'
import type { KeyStore, StoredKey } from '../../ports.ts'

export interface MemoryKeyStore extends KeyStore {
  put(key: StoredKey): void
  remove(keyId: string): void
}

export function memoryKeyStore(keys: readonly StoredKey[] = []): MemoryKeyStore {
  const byId = new Map(keys.map((key) => [key.keyId, key]))
  return {
    put: (key) => void byId.set(key.keyId, key),
    remove: (keyId) => void byId.delete(keyId),
    findKey: async (keyId) => byId.get(keyId) ?? null,
    ping: async () => {},
    allowsOrigin: async (origin) =>
      [...byId.values()].some(
        (key) => !key.disabled && !key.tenantDisabled && namesOrigin(key.origins, origin),
      ),
  }
}
