import { beforeEach, describe, expect, test, vi } from 'vitest'
import { memoryAccountStore } from '../../../src/adapters/memory/account-store.ts'
import { createAccountDirectory } from '../../../src/flows/account-directory.ts'
import { createCredentialSealer } from '../../../src/flows/seal-credential.ts'
import type { AccountStore, LogLine, StoredAccounts } from '../../../src/ports.ts'
import { anAccount } from '../../contract/account-gates.ts'
import {
  anAddedAccount,
  aStoredAccount,
  TEST_PEPPER,
  testSealer,
} from '../../support/stored-accounts.ts'

const CACHE_MS = 5_000
const given = { ...anAccount('given'), minConcurrent: 2, maxConcurrent: 10 }
const DOWN = new Error('D1 is down')

let now = 0
let log: LogLine[] = []
let reads = 0
let asked: string[] = []
let stored = memoryAccountStore()
/** What the store does with the next reads, instead of answering. */
let fault: (() => Promise<StoredAccounts>) | null = null

const counted: AccountStore = {
  resealAccount: (id, sealed) => stored.resealAccount(id, sealed),
  listAccounts: (freshness) => {
    reads += 1
    asked.push(freshness)
    return fault === null ? stored.listAccounts(freshness) : fault()
  },
}

beforeEach(() => {
  now = 1_000_000
  log = []
  reads = 0
  asked = []
  stored = memoryAccountStore()
  fault = null
})

const open = (changes = {}) =>
  createAccountDirectory({
    store: counted,
    sealer: testSealer,
    settings: [given],
    baseUrl: 'https://claude.test',
    cacheMs: CACHE_MS,
    now: () => now,
    log: (line) => void log.push(line),
    ...changes,
  })

const idsOf = async (directory: ReturnType<typeof open>): Promise<string[]> =>
  (await directory.usable()).map(({ id }) => id)

describe('the list', () => {
  test('has the accounts of the settings, then those that were added, with their credentials', async () => {
    stored.put(await anAddedAccount('added', { fields: { weight: 3, models: ['claude-haiku-*'] } }))
    const [first, second] = await open().usable()
    expect(first).toEqual(given)
    expect(second).toEqual({
      id: 'added',
      apiKey: 'sk-ant-sim-added',
      baseUrl: 'https://claude.test',
      weight: 3,
      maxConcurrent: 50,
      minConcurrent: 1,
      backup: false,
      models: ['claude-haiku-*'],
      locationHint: null,
      draining: false,
    })
  })

  test('changes an account of the settings as an operator did, and no further', async () => {
    const fields = { weight: 7, maxConcurrent: 1, backup: true }
    stored.put(aStoredAccount('given', { fields, drainingSince: 5 }))
    expect(await open().usable()).toEqual([
      // Its least cannot be above its most.
      { ...given, ...fields, minConcurrent: 1, draining: true },
    ])
  })

  test('keeps the credential of the settings where an id is in both', async () => {
    stored.put(await anAddedAccount('given', { baseUrl: 'https://other.test' }))
    expect(await open().usable()).toEqual([given])
  })

  test('leaves out the changes of an account that the settings do not have any more', async () => {
    stored.put(aStoredAccount('former', { fields: { weight: 2 } }))
    expect(await idsOf(open())).toEqual(['given'])
  })

  test('leaves out what cannot be opened, and says so once', async () => {
    const moved = await anAddedAccount('moved')
    stored.put({ ...moved, id: 'elsewhere' })
    stored.put(await anAddedAccount('fine'))
    const directory = open()
    expect(await idsOf(directory)).toEqual(['given', 'fine'])
    now += CACHE_MS
    expect(await idsOf(directory)).toEqual(['given', 'fine'])
    expect(log).toEqual([
      {
        event: 'account_unusable',
        account: 'elsewhere',
        problem: 'its credential, id or base_url was changed in the database',
      },
    ])
  })
})

describe('the reads', () => {
  test('are one for all who ask at the same moment', async () => {
    const directory = open()
    await Promise.all(Array.from({ length: 100 }, async () => directory.usable()))
    expect(reads).toBe(1)
  })

  test('are none while the list is fresh: it is given at once', async () => {
    const directory = open()
    await directory.usable()
    now += CACHE_MS - 1
    expect(directory.usable()).toEqual([given])
    expect(reads).toBe(1)
  })

  test('come before the time is over where the list is in use, and nobody waits', async () => {
    const directory = open()
    await directory.usable()
    stored.put(await anAddedAccount('added'))
    now += CACHE_MS * 0.8
    const deferred: Promise<unknown>[] = []
    const defer = (work: Promise<unknown>) => void deferred.push(work)
    expect(directory.usable(defer)).toEqual([given])
    expect(directory.usable(defer)).toEqual([given])
    expect(deferred).toHaveLength(1)
    await Promise.all(deferred)
    expect(reads).toBe(2)
    expect(await idsOf(directory)).toEqual(['given', 'added'])
  })

  test('hold a change everywhere after the cache time', async () => {
    const directory = open()
    await directory.usable()
    stored.put(aStoredAccount('given', { drainingSince: now }))
    now += CACHE_MS
    expect(await directory.usable()).toMatchObject([{ id: 'given', draining: true }])
  })

  test('happen at each call where nothing may be trusted', async () => {
    const directory = open({ cacheMs: 0 })
    await directory.usable()
    stored.put(await anAddedAccount('added'))
    expect(await idsOf(directory)).toEqual(['given', 'added'])
  })

  test('show this isolate its own change at once', async () => {
    const directory = open()
    await directory.usable()
    stored.put(await anAddedAccount('added'))
    await directory.refresh()
    expect(await idsOf(directory)).toEqual(['given', 'added'])
    // A replica might not have it yet.
    expect(asked).toEqual(['nearest', 'newest'])
  })

  test('that answer late do not undo a newer one', async () => {
    const directory = open()
    const slow = Promise.withResolvers<StoredAccounts>()
    fault = () => slow.promise
    const first = directory.usable()
    fault = null
    stored.put(await anAddedAccount('added'))
    await directory.refresh()
    slow.resolve({ accounts: [], unreadable: [] })
    await first
    expect(await idsOf(directory)).toEqual(['given', 'added'])
  })

  test('open a credential once, however often the list is read', async () => {
    stored.put(await anAddedAccount('added'))
    const opening = vi.spyOn(testSealer, 'open')
    const directory = open()
    for (let i = 0; i < 3; i += 1) await directory.refresh()
    expect(await idsOf(directory)).toEqual(['given', 'added'])
    expect(opening).toHaveBeenCalledTimes(1)
    opening.mockRestore()
  })
})

describe('while the pepper is being replaced', () => {
  const next = createCredentialSealer(['n'.repeat(32), TEST_PEPPER])
  const afterwards = createCredentialSealer(['n'.repeat(32)])

  test('a credential under the former one works, and moves over to the new one', async () => {
    stored.put(await anAddedAccount('added'))
    expect(await idsOf(open({ sealer: next }))).toEqual(['given', 'added'])
    expect(await idsOf(open({ sealer: afterwards }))).toEqual(['given', 'added'])
    expect(log).toEqual([])
  })

  test('one that cannot be moved yet works all the same, and is tried again', async () => {
    stored.put(await anAddedAccount('added'))
    const readOnly = { ...counted, resealAccount: () => Promise.reject(DOWN) }
    const first = open({ sealer: next, store: readOnly })
    expect(await idsOf(first)).toEqual(['given', 'added'])
    expect(log).toMatchObject([{ event: 'account_not_resealed', account: 'added' }])
    await first.refresh()
    expect(await idsOf(open({ sealer: afterwards }))).toEqual(['given'])
    const second = open({ sealer: next })
    await second.refresh()
    expect(await idsOf(open({ sealer: afterwards }))).toEqual(['given', 'added'])
  })
})

describe('without its store', () => {
  test('the settings go on from the start', async () => {
    fault = () => Promise.reject(DOWN)
    expect(await open().usable()).toEqual([given])
    expect(log).toEqual([{ event: 'accounts_unreadable', error: 'Error: D1 is down' }])
  })

  test('what was known goes on, at once for each but the first, and is said once', async () => {
    stored.put(await anAddedAccount('added'))
    const directory = open()
    await directory.usable()
    fault = () => Promise.reject(DOWN)
    now += CACHE_MS
    expect(await idsOf(directory)).toEqual(['given', 'added'])
    for (let i = 0; i < 50; i += 1) {
      now += 100
      expect(directory.usable()).toHaveLength(2)
      await Promise.resolve()
    }
    // One a second in the background.
    expect(reads).toBeLessThanOrEqual(8)
    expect(log).toHaveLength(1)
  })

  test('a change is seen soon after it is back', async () => {
    fault = () => Promise.reject(DOWN)
    const directory = open()
    await directory.usable()
    fault = null
    stored.put(await anAddedAccount('added'))
    now += 1_000
    await directory.usable()
    await vi.waitFor(async () => expect(await idsOf(directory)).toEqual(['given', 'added']))
  })

  test('a store that hangs costs one caller its bound, and the others nothing', async () => {
    fault = () => new Promise(() => {})
    const directory = open({ readTimeoutMs: 20 })
    expect(await directory.usable()).toEqual([given])
    expect(directory.usable()).toEqual([given])
    expect(log).toMatchObject([{ event: 'accounts_unreadable' }])
  })

  test('a read that went with its caller is begun anew by the next', async () => {
    fault = () => new Promise(() => {})
    const directory = open({ readTimeoutMs: 20 })
    void directory.usable()
    fault = null
    stored.put(await anAddedAccount('added'))
    expect(await idsOf(directory)).toContain('given')
    now += 1_000
    await directory.usable()
    await vi.waitFor(async () => expect(await idsOf(directory)).toEqual(['given', 'added']))
  })
})
