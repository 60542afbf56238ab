import { beforeEach, describe, expect, test, vi } from 'vitest'
import { memoryKeyStore } from '../../../src/adapters/memory/key-store.ts'
import { makeApiKey, renewApiKey } from '../../../src/core/keys/api-key.ts'
import { type AuthenticatorOptions, createAuthenticator } from '../../../src/flows/authenticate.ts'
import { createKeyHasher } from '../../../src/flows/hash-key.ts'
import { createTokenSeal } from '../../../src/flows/seal-token.ts'
import type { StoredKey } from '../../../src/ports.ts'

const PEPPER = 'p'.repeat(32)
const CACHE_MS = 5_000
const hashKey = createKeyHasher(PEPPER)
const key = makeApiKey(new Uint8Array(64).fill(1))
const stranger = makeApiKey(new Uint8Array(64).fill(2))
const stored: StoredKey = {
  tenant: 'acme',
  keyId: key.id,
  tier: {
    name: 'free',
    requestsPerMinute: 10,
    requestsPerHour: 1_000,
    maxConcurrent: 2,
    inputTokensPerMinute: null,
    outputTokensPerMinute: null,
    budgetUsdPerDay: 1,
    budgetUsdPerMonth: null,
    lane: 'low',
    onOverload: 'reject',
    downgradeTo: null,
    maxWaitMs: null,
  },
  models: null,
  origins: null,
  limitsFail: 'count',
  ips: null,
  autoPromptCache: 'sessions',
  secretHash: await hashKey(key.text),
  disabled: false,
  tenantDisabled: false,
  expiresAt: null,
  former: null,
}

let now = 0
let store = memoryKeyStore([stored])
let findKey = vi.spyOn(store, 'findKey')

beforeEach(() => {
  now = 1_000_000
  store = memoryKeyStore([stored])
  findKey = vi.spyOn(store, 'findKey')
})

const authenticator = (options: Partial<AuthenticatorOptions> = {}) =>
  createAuthenticator({
    keys: store,
    peppers: [PEPPER],
    seal: createTokenSeal([PEPPER]),
    cacheMs: CACHE_MS,
    now: () => now,
    ...options,
  })
const withKey = (text: string) => new Headers({ 'x-api-key': text })
const refused = (reason: string) => ({ kind: 'refused', reason })

describe('a caller', () => {
  test('is known by its key in either header, without its hash', async () => {
    const authenticate = authenticator()
    const { secretHash, disabled, tenantDisabled, expiresAt, former, ...caller } = stored
    expect([disabled, tenantDisabled, expiresAt, former]).toEqual([false, false, null, null])
    expect(JSON.stringify(caller)).not.toContain(secretHash)
    for (const headers of [
      withKey(key.text),
      new Headers({ authorization: `Bearer ${key.text}` }),
      new Headers({ authorization: `bearer  ${key.text}` }),
      new Headers({ authorization: `Bearer ${key.text}`, 'x-api-key': '' }),
      new Headers({ authorization: 'Bearer nonsense', 'x-api-key': key.text }),
    ]) {
      expect(await authenticate(headers)).toEqual({ kind: 'caller', caller })
    }
  })

  test('with both headers is judged by x-api-key', async () => {
    const headers = new Headers({ authorization: `Bearer ${key.text}`, 'x-api-key': stranger.text })
    expect(await authenticator()(headers)).toEqual(refused('key_unknown'))
  })

  test.each([
    [{}, 'key_missing'],
    [{ authorization: `Basic ${key.text}` }, 'key_missing'],
    [{ authorization: 'Bearer ' }, 'key_missing'],
    [{ authorization: key.text }, 'key_missing'],
    [{ authorization: 'Bearer sk-ant-api03' }, 'key_malformed'],
    [{ 'x-api-key': `${key.text.slice(0, -1)}_` }, 'key_malformed'],
    [{ 'x-api-key': `${key.text}, ${key.text}` }, 'key_malformed'],
  ])('that sends %j is refused without asking the store', async (headers, reason) => {
    expect(await authenticator()(new Headers(headers))).toEqual(refused(reason))
    expect(findKey).not.toHaveBeenCalled()
  })

  test('that knows an id but not its secret is not known', async () => {
    store.put({ ...stored, secretHash: await hashKey(stranger.text) })
    expect(await authenticator()(withKey(key.text))).toEqual(refused('key_unknown'))
  })

  test('is not known under another pepper', async () => {
    const authenticate = authenticator({ peppers: ['q'.repeat(32)] })
    expect(await authenticate(withKey(key.text))).toEqual(refused('key_unknown'))
  })

  test('is known under the previous pepper, and stored anew under the current one', async () => {
    const current = 'q'.repeat(32)
    const replaceHash = vi.spyOn(store, 'replaceHash')
    const deferred: Promise<unknown>[] = []
    const authenticate = authenticator({ peppers: [current, PEPPER] })
    const ask = () => authenticate(withKey(key.text), { defer: (work) => void deferred.push(work) })
    expect(await ask()).toMatchObject({ kind: 'caller' })
    expect(await ask()).toMatchObject({ kind: 'caller' })
    await Promise.all(deferred)
    expect(replaceHash).toHaveBeenCalledTimes(1)
    // From now on the previous pepper may go.
    const after = authenticator({ peppers: [current] })
    expect(await after(withKey(key.text))).toMatchObject({ kind: 'caller' })
  })

  test.each<[Partial<StoredKey>, string]>([
    [{ disabled: true }, 'key_revoked'],
    [{ expiresAt: 1_000_000 }, 'key_expired'],
    [{ tenantDisabled: true }, 'tenant_disabled'],
  ])('whose key is stored with %j is told so, and only the holder is', async (change, reason) => {
    store.put({ ...stored, ...change })
    expect(await authenticator()(withKey(key.text))).toEqual(refused(reason))
    store.put({ ...stored, ...change, secretHash: '0'.repeat(64) })
    expect(await authenticator()(withKey(key.text))).toEqual(refused('key_unknown'))
  })

  test('with the former secret of a rotated key is let in until the grace is over', async () => {
    const rotated = renewApiKey(key.id, new Uint8Array(64).fill(7))
    const former = { secretHash: await hashKey(key.text), until: now + 1_000 }
    store.put({ ...stored, secretHash: await hashKey(rotated.text), former })
    const authenticate = authenticator()
    for (const { text } of [key, rotated]) {
      expect(await authenticate(withKey(text))).toMatchObject({ caller: { keyId: key.id } })
    }
    now += 1_000
    expect(await authenticate(withKey(key.text))).toEqual(refused('key_expired'))
    expect(await authenticate(withKey(rotated.text))).toMatchObject({ kind: 'caller' })
    const guess = renewApiKey(key.id, new Uint8Array(64).fill(8))
    expect(await authenticate(withKey(guess.text))).toEqual(refused('key_unknown'))
  })

  test('with the former secret of a key that was revoked in its grace is refused', async () => {
    const former = { secretHash: await hashKey(key.text), until: now + 1_000 }
    store.put({ ...stored, secretHash: 'f'.repeat(64), former, disabled: true })
    expect(await authenticator()(withKey(key.text))).toEqual(refused('key_revoked'))
  })

  test('with a former secret under the former pepper is let in, and its hash stays', async () => {
    const former = { secretHash: await hashKey(key.text), until: now + 1_000 }
    store.put({ ...stored, secretHash: 'f'.repeat(64), former })
    const replaceHash = vi.spyOn(store, 'replaceHash')
    const deferred: Promise<unknown>[] = []
    const authenticate = authenticator({ peppers: ['q'.repeat(32), PEPPER] })
    const result = await authenticate(withKey(key.text), {
      defer: (work) => void deferred.push(work),
    })
    await Promise.all(deferred)
    expect(result).toMatchObject({ kind: 'caller' })
    expect(replaceHash).not.toHaveBeenCalled()
  })

  test('is let in until the very moment at which its key expires', async () => {
    store.put({ ...stored, expiresAt: now + 1 })
    const authenticate = authenticator()
    expect(await authenticate(withKey(key.text))).toMatchObject({ kind: 'caller' })
    now += 1
    expect(await authenticate(withKey(key.text))).toEqual(refused('key_expired'))
  })
})

describe('a wrong secret', () => {
  const guess = (byte: number) => renewApiKey(key.id, new Uint8Array(64).fill(byte)).text
  const readsOf = async (work: () => Promise<unknown>): Promise<number> => {
    const before = findKey.mock.calls.length
    await work()
    return findKey.mock.calls.length - before
  }

  test.each([
    ['on a warm isolate', true],
    ['on a cold one', false],
  ])('costs as many reads as an unknown key, %s', async (_, isWarm) => {
    const authenticate = authenticator()
    if (isWarm) await authenticate(withKey(key.text))
    const costs = []
    for (const text of [guess(7), stranger.text]) {
      const ask = async () =>
        expect(await authenticate(withKey(text))).toEqual(refused('key_unknown'))
      costs.push([await readsOf(ask), await readsOf(ask), await readsOf(ask)])
    }
    expect(costs).toEqual([
      [1, 0, 0],
      [1, 0, 0],
    ])
  })

  test('is asked for again, so that the secret of a key that was just rotated is good at once', async () => {
    const authenticate = authenticator()
    await authenticate(withKey(key.text))
    const rotated = renewApiKey(key.id, new Uint8Array(64).fill(7))
    store.put({ ...stored, secretHash: await hashKey(rotated.text) })
    const ask = async () =>
      expect(await authenticate(withKey(rotated.text))).toMatchObject({ kind: 'caller' })
    expect([await readsOf(ask), await readsOf(ask)]).toEqual([1, 0])
  })

  test('of a key that is known is as unavailable as an unknown key where the store is down', async () => {
    const authenticate = authenticator()
    await authenticate(withKey(key.text))
    findKey.mockRejectedValue(new Error('down'))
    for (const text of [guess(7), stranger.text]) {
      expect(await authenticate(withKey(text))).toEqual(refused('store_unavailable'))
    }
    expect(await authenticate(withKey(key.text))).toMatchObject({ kind: 'caller' })
  })
})

describe('the store', () => {
  test('is read once for a thousand callers on a cold isolate, and not at all on a warm one', async () => {
    const authenticate = authenticator()
    const sign = vi.spyOn(crypto.subtle, 'sign')
    const all = Array.from({ length: 1_000 }, () => authenticate(withKey(key.text)))
    for (const result of await Promise.all(all)) expect(result).toMatchObject({ kind: 'caller' })
    expect(findKey).toHaveBeenCalledTimes(1)
    sign.mockClear()
    await authenticate(withKey(key.text))
    expect(findKey).toHaveBeenCalledTimes(1)
    expect(sign).toHaveBeenCalledTimes(1)
    sign.mockRestore()
  })

  test('is asked again once its answer is too old, so that a revocation holds', async () => {
    const authenticate = authenticator()
    await authenticate(withKey(key.text))
    store.put({ ...stored, disabled: true })
    now += CACHE_MS - 1
    expect(await authenticate(withKey(key.text))).toMatchObject({ kind: 'caller' })
    now += 1
    expect(await authenticate(withKey(key.text))).toEqual(refused('key_revoked'))
  })

  test('is asked at every request where nothing may be remembered', async () => {
    const authenticate = authenticator({ cacheMs: 0 })
    await authenticate(withKey(key.text))
    await authenticate(withKey(key.text))
    expect(findKey).toHaveBeenCalledTimes(2)
  })

  test('is asked again when the clock was set back', async () => {
    const authenticate = authenticator()
    await authenticate(withKey(key.text))
    now -= 3_600_000
    await authenticate(withKey(key.text))
    expect(findKey).toHaveBeenCalledTimes(2)
  })

  test('is asked once for a key that does not exist, until that is too old', async () => {
    const authenticate = authenticator()
    await authenticate(withKey(stranger.text))
    await authenticate(withKey(stranger.text))
    expect(findKey).toHaveBeenCalledTimes(1)
    now += CACHE_MS
    store.put({ ...stored, keyId: stranger.id, secretHash: await hashKey(stranger.text) })
    expect(await authenticate(withKey(stranger.text))).toMatchObject({ kind: 'caller' })
  })

  test('costs a hash for an unknown key as for a known one', async () => {
    const authenticate = authenticator()
    const sign = vi.spyOn(crypto.subtle, 'sign')
    await authenticate(withKey(stranger.text))
    expect(sign).toHaveBeenCalledTimes(1)
    sign.mockRestore()
  })

  test('is read ahead of the end for a key in use, which nobody waits for', async () => {
    const authenticate = authenticator()
    const deferred: Promise<unknown>[] = []
    const defer = (work: Promise<unknown>) => void deferred.push(work)
    await authenticate(withKey(key.text), { defer })
    now += CACHE_MS * 0.8
    deferred.length = 0
    await authenticate(withKey(key.text), { defer })
    await Promise.all(deferred)
    expect(findKey).toHaveBeenCalledTimes(2)
    now += CACHE_MS * 0.5
    await authenticate(withKey(key.text))
    expect(findKey).toHaveBeenCalledTimes(2)
  })

  test('that fails leaves known keys until their time, and refuses the others as unavailable', async () => {
    const authenticate = authenticator()
    const defer = (work: Promise<unknown>) => void work
    await authenticate(withKey(key.text), { defer })
    findKey.mockRejectedValue(new Error('down'))
    now += CACHE_MS - 1
    expect(await authenticate(withKey(stranger.text))).toEqual(refused('store_unavailable'))
    expect(await authenticate(withKey(key.text), { defer })).toMatchObject({ kind: 'caller' })
    now += 1
    expect(await authenticate(withKey(key.text))).toEqual(refused('store_unavailable'))
    findKey.mockRestore()
    expect(await authenticate(withKey(key.text))).toMatchObject({ kind: 'caller' })
  })

  test('that never answers is given up in bounded time, and asked anew', async () => {
    const authenticate = authenticator({ readTimeoutMs: 20 })
    findKey.mockReturnValueOnce(new Promise(() => {}))
    const first = authenticate(withKey(key.text))
    const second = authenticate(withKey(key.text))
    expect(await first).toEqual(refused('store_unavailable'))
    expect(await second).toMatchObject({ kind: 'caller' })
    expect(findKey).toHaveBeenCalledTimes(2)
  })
})

describe('what an isolate remembers', () => {
  const keys = Array.from({ length: 8 }, (_, index) =>
    makeApiKey(new Uint8Array(64).fill(index + 9)),
  )

  test('is bounded: the oldest is read again, the newest is not', async () => {
    const authenticate = authenticator({ maxEntries: 4 })
    for (const { id, text } of keys) {
      store.put({ ...stored, keyId: id, secretHash: await hashKey(text) })
      await authenticate(withKey(text))
    }
    findKey.mockClear()
    for (const { text } of keys.slice(4)) await authenticate(withKey(text))
    expect(findKey).not.toHaveBeenCalled()
    await authenticate(withKey(keys[0]?.text ?? ''))
    expect(findKey).toHaveBeenCalledTimes(1)
  })

  test('of keys in use is not pushed out by guesses', async () => {
    const authenticate = authenticator({ maxEntries: 4 })
    await authenticate(withKey(key.text))
    for (const { text } of keys) await authenticate(withKey(text))
    findKey.mockClear()
    expect(await authenticate(withKey(key.text))).toMatchObject({ kind: 'caller' })
    expect(findKey).not.toHaveBeenCalled()
  })
})
