// What every AccountStore does, whatever holds the accounts. Each adapter's test fills its store with the same ones.
import { beforeAll, describe, expect, test } from 'vitest'
import type { StoredAccount } from '../../src/core/answering/account.ts'
import type { AccountStore } from '../../src/ports.ts'

export const givenAccounts = {
  added: {
    id: 'added',
    baseUrl: 'https://claude.test',
    sealedKey: '01aa',
    sealedAt: 5,
    locationHint: 'weur',
    fields: {
      weight: 0.5,
      maxConcurrent: 7,
      minConcurrent: 2,
      backup: true,
      models: ['claude-haiku-*'],
    },
    drainingSince: null,
    createdAt: 5,
  },
  changed: {
    id: 'changed',
    baseUrl: null,
    sealedKey: null,
    sealedAt: null,
    locationHint: null,
    fields: { weight: 3 },
    drainingSince: 6,
    createdAt: 6,
  },
} as const satisfies Readonly<Record<string, StoredAccount>>

export function describeAccountStore(adapter: string, open: () => Promise<AccountStore>): void {
  describe(`an account store: ${adapter}`, () => {
    let store: AccountStore
    beforeAll(async () => {
      store = await open()
    })

    test.each(['nearest', 'newest'] as const)('lists every account, from the %s', async (from) => {
      expect(await store.listAccounts(from)).toEqual({
        accounts: [givenAccounts.added, givenAccounts.changed],
        unreadable: [],
      })
    })

    test('keeps a credential that was sealed anew, unless another came meanwhile', async () => {
      const sealedKeys = async () =>
        (await store.listAccounts('newest')).accounts.map(({ sealedKey }) => sealedKey)
      await store.resealAccount('added', { from: '01ff', to: '01bb' })
      expect(await sealedKeys()).toEqual(['01aa', null])
      await store.resealAccount('added', { from: '01aa', to: '01cc' })
      await store.resealAccount('nobody', { from: '01aa', to: '01dd' })
      expect(await sealedKeys()).toEqual(['01cc', null])
    })
  })
}
