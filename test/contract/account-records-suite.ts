// What every database does with the accounts of the admin plane: each change is one step, with its audit row.
import { beforeAll, describe, expect, test } from 'vitest'
import { sqlAccountStore } from '../../src/adapters/sql/account-store.ts'
import { sqlAdminStore } from '../../src/adapters/sql/admin-store.ts'
import type { OpenSqlSession } from '../../src/adapters/sql/session.ts'
import type { StoredAccount } from '../../src/core/answering/account.ts'
import type { AccountChange, AdminSession, AdminWrite } from '../../src/ports/admin.ts'
import { aStoredAccount } from '../support/stored-accounts.ts'
import { describeAccountStore, givenAccounts } from './account-store-suite.ts'

let made = 0
const write = (at = 100): AdminWrite => ({
  at,
  actor: 'admin:test',
  requestId: 'req_1',
  eventId: `evt_${++made}`,
  answer: null,
})

const changeWith = (
  source: AccountChange['source'],
  changes: Partial<Omit<AccountChange, 'fields'>> & Partial<AccountChange['fields']>,
): AccountChange => {
  const { draining, sealedKey, ...fields } = changes
  return {
    source,
    fields: {
      weight: undefined,
      maxConcurrent: undefined,
      minConcurrent: undefined,
      backup: undefined,
      models: undefined,
      ...fields,
    },
    ...(draining === undefined ? {} : { draining }),
    ...(sealedKey === undefined ? {} : { sealedKey }),
  }
}

/** @param open the sessions of a database that is migrated and otherwise empty */
export function describeAccountRecords(adapter: string, open: () => Promise<OpenSqlSession>): void {
  describeAccountStore(adapter, async () => {
    const sessions = await open()
    const session = sqlAdminStore(sessions).open({ from: 'primary', bookmark: null })
    const { added, changed } = givenAccounts
    await session.addAccount(added, write())
    const change = changeWith('settings', { ...changed.fields, draining: true })
    await session.changeAccount('changed', change, write(changed.createdAt))
    return sqlAccountStore(sessions)
  })

  describe(`account records: ${adapter}`, () => {
    let session: AdminSession
    beforeAll(async () => {
      const sessions = await open()
      session = sqlAdminStore(sessions).open({ from: 'primary', bookmark: null })
      for (const { id } of (await session.listAccounts()).accounts) {
        await session.changeAccount(id, changeWith('added', { draining: true }), write())
        await session.removeAccount(id, write())
      }
    })

    const sealed = (id: string): StoredAccount =>
      aStoredAccount(id, { sealedKey: '01aa', sealedAt: 1, createdAt: 1 })
    const find = async (id: string): Promise<StoredAccount | undefined> =>
      (await session.listAccounts()).accounts.find((account) => account.id === id)
    const actionsOf = async (target: string): Promise<string[]> => {
      const filter = { action: null, target, tenant: null, from: null, to: null }
      const { data } = await session.listEvents(filter, { limit: 100, after: null })
      return data.map(({ action }) => action)
    }

    test('an id is given once, however many ask at the same moment', async () => {
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => session.addAccount(sealed('once'), write())),
      )
      expect(answers.filter(Boolean)).toHaveLength(1)
      expect(await actionsOf('once')).toEqual(['account.create'])
    })

    test('what was changed of a former account of the settings does not outlive it', async () => {
      await session.changeAccount('former', changeWith('settings', { weight: 9 }), write())
      expect(await session.addAccount(sealed('former'), write())).toBe(true)
      expect(await find('former')).toEqual(sealed('former'))
    })

    test('fields are laid over one another, and null takes one away', async () => {
      await session.addAccount(
        { ...sealed('fields'), fields: { weight: 2, backup: true } },
        write(),
      )
      const change = changeWith('added', { weight: null, maxConcurrent: 4, models: ['a'] })
      expect(await session.changeAccount('fields', change, write())).toBe(true)
      expect((await find('fields'))?.fields).toEqual({
        maxConcurrent: 4,
        backup: true,
        models: ['a'],
      })
    })

    test('a new credential has its time, and leaves an event that does not hold it', async () => {
      await session.addAccount(sealed('rotated'), write())
      await session.changeAccount('rotated', changeWith('added', { sealedKey: '01bb' }), write(77))
      expect(await find('rotated')).toMatchObject({ sealedKey: '01bb', sealedAt: 77 })
      const filter = { action: null, target: 'rotated', tenant: null, from: null, to: null }
      const { data } = await session.listEvents(filter, { limit: 100, after: null })
      expect(data).toMatchObject([
        { before: { credential_since: expect.any(String) }, after: { id: 'rotated' } },
        { before: null },
      ])
      expect(JSON.stringify(data)).not.toMatch(/01aa|01bb/)
    })

    test('draining keeps its first time', async () => {
      await session.addAccount(sealed('drained'), write())
      const drain = (draining: boolean, at: number) =>
        session.changeAccount('drained', changeWith('added', { draining }), write(at))
      await drain(true, 10)
      await drain(true, 20)
      expect((await find('drained'))?.drainingSince).toBe(10)
      await drain(false, 30)
      expect((await find('drained'))?.drainingSince).toBeNull()
    })

    test('only what was added and drains is removed', async () => {
      await session.addAccount(sealed('kept'), write())
      await session.changeAccount('given', changeWith('settings', { draining: true }), write())
      const removed = [
        await session.removeAccount('kept', write()),
        await session.removeAccount('given', write()),
        await session.removeAccount('nobody', write()),
      ]
      expect(removed).toEqual([false, false, false])
      await session.changeAccount('kept', changeWith('added', { draining: true }), write())
      expect(await session.removeAccount('kept', write())).toBe(true)
      expect(await find('kept')).toBeUndefined()
      expect(await actionsOf('kept')).toEqual([
        'account.delete',
        'account.update',
        'account.create',
      ])
    })

    test('a change of an account that has left leaves nothing behind', async () => {
      const change = changeWith('added', { weight: 2 })
      expect(await session.changeAccount('left', change, write())).toBe(false)
      expect(await find('left')).toBeUndefined()
      expect(await actionsOf('left')).toEqual([])
    })
  })
}
