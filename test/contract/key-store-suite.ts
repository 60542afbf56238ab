// What every KeyStore does, whatever holds the keys. Each adapter's test fills its store with the same keys.
import { beforeAll, describe, expect, test } from 'vitest'
import type { KeyStore, StoredKey } from '../../src/ports.ts'

const PREMIUM = {
  name: 'premium',
  requestsPerMinute: 100,
  requestsPerHour: 10_000,
  maxConcurrent: 20,
  inputTokensPerMinute: 1_000_000,
  outputTokensPerMinute: 200_000,
  budgetUsdPerDay: 100,
  budgetUsdPerMonth: null,
  lane: 'normal',
  onOverload: 'wait',
  downgradeTo: null,
  maxWaitMs: null,
} as const

const plain: StoredKey = {
  tenant: 'acme',
  keyId: 'plainplain',
  tier: PREMIUM,
  models: null,
  origins: ['https://app.acme.test'],
  limitsFail: 'closed',
  ips: null,
  autoPromptCache: 'sessions',
  cacheTtlSeconds: null,
  secretHash: 'a'.repeat(64),
  disabled: false,
  tenantDisabled: false,
  expiresAt: null,
  former: null,
}
const narrow: StoredKey = {
  ...plain,
  keyId: 'narrownarr',
  models: ['claude-haiku-*'],
  origins: ['https://kiosk.acme.test'],
  secretHash: 'b'.repeat(64),
  disabled: true,
  expiresAt: 1_900_000_000_123,
  ips: ['10.0.0.0/8', '2001:db8::1'],
  former: { secretHash: 'e'.repeat(64), until: 1_800_000_000_456 },
}
const gone: StoredKey = {
  ...plain,
  tenant: 'gone',
  keyId: 'gonegonego',
  tier: { ...PREMIUM, requestsPerMinute: null, budgetUsdPerDay: 0.5, onOverload: 'reject' },
  origins: ['https://gone.test'],
  limitsFail: 'count',
  autoPromptCache: 'all',
  secretHash: 'c'.repeat(64),
  tenantDisabled: true,
}
const bare: StoredKey = {
  ...plain,
  tenant: 'bare',
  keyId: 'barebareba',
  origins: null,
  limitsFail: 'open',
  autoPromptCache: 'off',
  cacheTtlSeconds: 60,
  secretHash: 'd'.repeat(64),
}

const NOW = 1_780_000_000_000

export const givenKeys: readonly StoredKey[] = [plain, narrow, gone, bare]

export function describeKeyStore(adapter: string, open: () => Promise<KeyStore>): void {
  describe(`a key store: ${adapter}`, () => {
    let store: KeyStore
    beforeAll(async () => {
      store = await open()
    })

    test.each(givenKeys)('finds $keyId with its tenant and its tier joined', async (key) => {
      expect(await store.findKey(key.keyId)).toEqual(key)
    })

    test.each(['', 'nobody', 'PLAINPLAIN', "' OR 1=1 --", 'plain%'])(
      'finds nothing for %j',
      async (id) => {
        expect(await store.findKey(id)).toBeNull()
      },
    )

    test('answers a ping', async () => {
      await expect(store.ping()).resolves.toBeUndefined()
    })

    test.each([
      ['https://app.acme.test', true],
      ['https://app.acme.test:444', false],
      ['https://kiosk.acme.test', false],
      ['https://gone.test', false],
      ['*', false],
      ['null', false],
      ['', false],
    ])('asked whether somebody in service allows %j, says %j', async (origin, allowed) => {
      expect(await store.allowsOrigin(origin, NOW)).toBe(allowed)
    })

    test("allows a token's origin until its time is over, and forgets it then", async () => {
      const origin = 'https://page.test'
      const at = (now: number) => store.allowsOrigin(origin, now)
      expect(await at(NOW)).toBe(false)
      await store.allowOrigin(origin, NOW + 1_000, NOW)
      await store.allowOrigin(origin, NOW + 500, NOW)
      expect([await at(NOW), await at(NOW + 999), await at(NOW + 1_000)]).toEqual([
        true,
        true,
        false,
      ])
      await store.allowOrigin('https://other.test', NOW + 9_000, NOW + 1_000)
      expect(await at(NOW)).toBe(false)
      expect(await store.allowsOrigin('https://other.test', NOW)).toBe(true)
    })

    test('keeps a new hash of a key where the old one is still there, and only there', async () => {
      const hashOf = async () => (await store.findKey(plain.keyId))?.secretHash
      const other = 'f'.repeat(64)
      await store.replaceHash(plain.keyId, { from: 'e'.repeat(64), to: other, at: NOW })
      expect(await hashOf()).toBe(plain.secretHash)
      await store.replaceHash(plain.keyId, { from: plain.secretHash, to: other, at: NOW })
      expect(await hashOf()).toBe(other)
      await store.replaceHash(plain.keyId, { from: other, to: plain.secretHash, at: NOW })
    })
  })
}
