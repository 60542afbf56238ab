// Accounts in memory, for tests and for trying the flows without a database.
import type { StoredAccount } from '../../core/answering/account.ts'
import type { AccountStore } from '../../ports.ts'

export interface MemoryAccountStore extends AccountStore {
  put(account: StoredAccount): void
}

export function memoryAccountStore(accounts: readonly StoredAccount[] = []): MemoryAccountStore {
  const byId = new Map(accounts.map((account) => [account.id, account]))
  return {
    put: (account) => void byId.set(account.id, account),
    async resealAccount(id, { from, to }) {
      const account = byId.get(id)
      if (account?.sealedKey === from) byId.set(id, { ...account, sealedKey: to })
    },
    listAccounts: async () => ({ accounts: [...byId.values()], unreadable: [] }),
  }
}
