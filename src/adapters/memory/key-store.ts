// Keys in memory, for tests and for trying the flows without a database. A key's tenant is given with it.
import { namesOrigin } from '../../core/keys/origin.ts'
import type { KeyStore, StoredKey } from '../../ports.ts'

export interface MemoryKeyStore extends KeyStore {
  put(key: StoredKey): void
  remove(keyId: string): void
}

export function memoryKeyStore(keys: readonly StoredKey[] = []): MemoryKeyStore {
  const byId = new Map(keys.map((key) => [key.keyId, key]))
  const tokenOrigins = new Map<string, number>()
  return {
    put: (key) => void byId.set(key.keyId, key),
    remove: (keyId) => void byId.delete(keyId),
    findKey: async (keyId) => byId.get(keyId) ?? null,
    ping: async () => {},
    allowsOrigin: async (origin, now) =>
      (tokenOrigins.get(origin) ?? 0) > now ||
      [...byId.values()].some(
        (key) => !key.disabled && !key.tenantDisabled && namesOrigin(key.origins, origin),
      ),
    async replaceHash(keyId, { from, to }) {
      const key = byId.get(keyId)
      if (key?.secretHash === from) byId.set(keyId, { ...key, secretHash: to })
    },
    async allowOrigin(origin, until, now) {
      tokenOrigins.set(origin, Math.max(until, tokenOrigins.get(origin) ?? 0))
      for (const [name, end] of tokenOrigins) if (end <= now) tokenOrigins.delete(name)
    },
  }
}
