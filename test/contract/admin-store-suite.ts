// What every AdminStore does with tenants, keys and tiers, whatever database holds them. The database is migrated and
// otherwise empty.
import { beforeAll, describe, expect, test } from 'vitest'
import type { TenantRecord } from '../../src/core/admin/tenant-body.ts'
import type { AdminSession, AdminStore } from '../../src/ports/admin.ts'
import type { KeyStore } from '../../src/ports.ts'
import { AT, EVERYTHING, HASH, keyOf, newId, tenantWith, write } from '../support/admin-records.ts'

export interface OpenedStores {
  readonly store: AdminStore
  /** What the data plane reads of the same database. */
  readonly keys: KeyStore
  /** Runs one statement on it. */
  readonly execute: (sql: string) => Promise<unknown>
}

export function describeAdminStore(adapter: string, open: () => Promise<OpenedStores>): void {
  describe(`an admin store: ${adapter}`, () => {
    let store: AdminStore
    let keys: KeyStore
    let execute: OpenedStores['execute']
    let session: AdminSession
    beforeAll(async () => {
      ;({ store, keys, execute } = await open())
      session = store.open({ from: 'primary', bookmark: null })
    })
    const eventsOf = async (target: string) =>
      (await session.listEvents({ ...EVERYTHING, target }, { limit: 100, after: null })).data

    async function addedTenant(changes: Partial<TenantRecord> = {}): Promise<TenantRecord> {
      const tenant = tenantWith(changes)
      expect(await session.addTenant(tenant, write())).toBe(true)
      return tenant
    }

    test('keeps a tenant as it was given', async () => {
      const tenant = await addedTenant()
      expect(await session.findTenant(tenant.id)).toEqual(tenant)
      expect(await session.findTenant('nobody')).toBeNull()
    })

    test('adds no second tenant with the same id', async () => {
      const { id } = await addedTenant()
      expect(await session.addTenant(tenantWith({ id, name: 'other' }), write())).toBe(false)
      expect((await session.findTenant(id))?.name).not.toBe('other')
      expect(await eventsOf(id)).toHaveLength(1)
    })

    test('lays settings over those that stand, and replaces overrides', async () => {
      const { id } = await addedTenant()
      const changed = await session.changeTenant(
        id,
        {
          settings: { cache_ttl_seconds: null, limits_fail: 'open' },
          overrides: { max_concurrent: null },
        },
        write(),
      )
      expect(changed).toMatchObject({
        settings: { origins: ['https://app.acme.test'], limits_fail: 'open' },
        overrides: { max_concurrent: null },
        tier: 'free',
      })
      expect(changed?.settings).not.toHaveProperty('cache_ttl_seconds')
      expect(changed?.overrides).toEqual({ max_concurrent: null })
      expect(await session.findTenant(id)).toEqual(changed)
    })

    test('takes the keys of a removed tenant with it', async () => {
      const { id } = await addedTenant()
      const key = keyOf(id)
      expect(await session.addKey(key, HASH, write())).toBe(true)
      expect(await session.removeTenant(id, write())).toBe(true)
      expect(await session.findTenant(id)).toBeNull()
      expect(await session.findKey(key.id)).toBeNull()
    })

    test('keeps a key as it was given, and none without a tenant', async () => {
      const { id } = await addedTenant()
      const key = keyOf(id)
      expect(await session.addKey(key, HASH, write())).toBe(true)
      expect(await session.findKey(key.id)).toEqual(key)
      expect(await session.addKey(keyOf('nobody'), HASH, write())).toBe(false)
    })

    test('sets what is named of a key, null included, and nothing else', async () => {
      const { id: tenant } = await addedTenant()
      const key = keyOf(tenant)
      await session.addKey(key, HASH, write())
      const changed = await session.changeKey(key.id, { ips: null, models: ['x'] }, write())
      expect(changed).toEqual({ ...key, ips: null, models: ['x'] })
      expect(await session.changeKey(key.id, {}, write())).toEqual(changed)
      expect(await eventsOf(key.id)).toHaveLength(2)
    })

    test('is what the data plane goes by', async () => {
      const { id: tenant } = await addedTenant()
      const key = keyOf(tenant)
      await session.addKey(key, HASH, write())
      const found = await keys.findKey(key.id)
      expect(found).toMatchObject({
        tenant,
        keyId: key.id,
        secretHash: HASH,
        former: null,
        models: key.models,
        ips: key.ips,
        expiresAt: key.expiresAt,
        origins: ['https://app.acme.test'],
        tier: { name: 'free', requestsPerMinute: null, budgetUsdPerDay: 0.5, maxConcurrent: 2 },
      })
      const rotation = { secretHash: 'd'.repeat(64), formerUntil: AT + 60_000 }
      await session.rotateKey(key.id, rotation, write())
      await session.changeTenant(tenant, { tier: 'premium', overrides: {} }, write())
      expect(await keys.findKey(key.id)).toMatchObject({
        secretHash: 'd'.repeat(64),
        former: { secretHash: HASH, until: AT + 60_000 },
        tier: { name: 'premium', requestsPerMinute: 100 },
      })
      await session.changeTenant(tenant, { disabled: true }, write())
      expect(await keys.findKey(key.id)).toMatchObject({ tenantDisabled: true, disabled: false })
      await session.revokeKey(key.id, write())
      expect(await keys.findKey(key.id)).toMatchObject({ disabled: true })
      await session.removeTenant(tenant, write())
      expect(await keys.findKey(key.id)).toBeNull()
    })

    test('says of a key when usage of it was last written, to the minute', async () => {
      const { id: tenant } = await addedTenant()
      const key = keyOf(tenant)
      await session.addKey(key, HASH, write())
      const use = (more: string) =>
        execute(`INSERT INTO usage VALUES ('${tenant}', '2026-11-01', 'm', '${key.id}', '', 1, 1, 1, 1, 1, 1, 1)
          ${more}`)
      const before = Date.now()
      await use('')
      const first = (await session.findKey(key.id))?.lastUsedAt ?? 0
      expect(first).toBeGreaterThan(before - 2_000)
      expect(first).toBeLessThanOrEqual(Date.now())
      const older = first - 61_000
      await execute(`UPDATE keys SET last_used_at = ${older} WHERE id = '${key.id}'`)
      await use('ON CONFLICT DO UPDATE SET requests = requests + 1')
      expect((await session.findKey(key.id))?.lastUsedAt).toBeGreaterThanOrEqual(first)
      const recent = first - 30_000
      await execute(`UPDATE keys SET last_used_at = ${recent} WHERE id = '${key.id}'`)
      await use('ON CONFLICT DO UPDATE SET requests = requests + 1')
      expect((await session.findKey(key.id))?.lastUsedAt).toBe(recent)
      const events = (await eventsOf(key.id)).map(({ action }) => action)
      expect(events).toEqual(['key.create'])
    })

    test('allows the origins of tenants and keys in service, and of no others', async () => {
      const origin = (name: string) => `https://${name}.${newId('o')}.test`
      const allowed = (name: string) => keys.allowsOrigin(name, AT)
      const [ofTenant, moved, ofKey, changed] = ['t', 'm', 'k', 'c'].map(origin) as [
        string,
        string,
        string,
        string,
      ]
      const { id } = await addedTenant({ settings: { origins: [ofTenant] } })
      const key = keyOf(id, { origins: [ofKey, ofTenant] })
      await session.addKey(key, HASH, write())
      expect([await allowed(ofTenant), await allowed(ofKey)]).toEqual([true, true])
      await session.changeTenant(id, { settings: { origins: [moved, moved] } }, write())
      expect([await allowed(moved), await allowed(ofTenant)]).toEqual([true, true])
      await session.changeKey(key.id, { origins: [changed] }, write())
      expect([await allowed(ofTenant), await allowed(ofKey)]).toEqual([false, false])
      await session.changeTenant(id, { disabled: true }, write())
      expect([await allowed(moved), await allowed(changed)]).toEqual([false, true])
      await session.changeTenant(id, { disabled: false }, write())
      expect(await allowed(moved)).toBe(true)
      await session.changeKey(key.id, { disabled: true }, write())
      expect(await allowed(changed)).toBe(false)
      await session.changeKey(key.id, { disabled: false }, write())
      expect(await allowed(changed)).toBe(true)
      const second = keyOf(id, { origins: [ofKey] })
      await session.addKey(second, HASH, write())
      await session.revokeKey(second.id, write())
      expect(await allowed(ofKey)).toBe(false)
      await session.removeTenant(id, write())
      expect([await allowed(moved), await allowed(changed)]).toEqual([false, false])
    })

    test('shows a revoked key no more', async () => {
      const { id: tenant } = await addedTenant()
      const key = keyOf(tenant)
      await session.addKey(key, HASH, write())
      expect(await session.revokeKey(key.id, write())).toBe(true)
      expect(await session.revokeKey(key.id, write())).toBe(false)
      expect(await session.findKey(key.id)).toBeNull()
      expect(await session.changeKey(key.id, { disabled: false }, write())).toBeNull()
      const rotation = { secretHash: HASH, formerUntil: AT }
      expect(await session.rotateKey(key.id, rotation, write())).toBe(false)
      expect((await session.listKeys(tenant, { limit: 10, after: null })).data).toEqual([])
    })

    test('gives every entry once, in pages of any size, though others come and go', async () => {
      const { id: tenant } = await addedTenant()
      const given = Array.from({ length: 7 }, (_, at) =>
        keyOf(tenant, { createdAt: AT + Math.floor(at / 3) }),
      )
      for (const key of given) await session.addKey(key, HASH, write())
      for (const limit of [1, 2, 3, 7, 8]) {
        const seen: string[] = []
        for (let page = await session.listKeys(tenant, { limit, after: null }); ;) {
          expect(page.data.length).toBeLessThanOrEqual(limit)
          seen.push(...page.data.map(({ id }) => id))
          if (page.next === null) break
          page = await session.listKeys(tenant, { limit, after: page.next })
        }
        expect(seen).toEqual(given.map(({ id }) => id))
      }
      const first = await session.listKeys(tenant, { limit: 3, after: null })
      await session.revokeKey(given[2]?.id ?? '', write())
      const second = await session.listKeys(tenant, { limit: 3, after: first.next })
      expect(second.data.map(({ id }) => id)).toEqual(given.slice(3, 6).map(({ id }) => id))
    })

    test('makes a tier and replaces it whole', async () => {
      const free = await session.findTier('free')
      expect(free).toMatchObject({ name: 'free', requestsPerMinute: 10, budgetUsdPerMonth: null })
      if (free === null) return
      const tier = { ...free, name: newId('r'), maxWaitMs: 5, budgetUsdPerMonth: 0.25 }
      await session.putTier(tier, write())
      expect(await session.findTier(tier.name)).toEqual(tier)
      const other = { ...tier, requestsPerMinute: null, lane: 'high' } as const
      await session.putTier(other, write())
      expect(await session.findTier(tier.name)).toEqual(other)
      const names = (await session.listTiers({ limit: 2, after: null })).data
      expect(names.map(({ name }) => name)).toEqual(['enterprise', 'free'])
      const [replaced] = await eventsOf(tier.name)
      expect(replaced).toMatchObject({ before: { lane: 'low' }, after: { lane: 'high' } })
    })

    test('lets a writer see its own write by its bookmark', async () => {
      const writer = store.open({ from: 'primary', bookmark: null })
      const tenant = tenantWith()
      await writer.addTenant(tenant, write())
      const reader = store.open({ from: 'nearest', bookmark: writer.bookmark() })
      expect(await reader.findTenant(tenant.id)).toEqual(tenant)
    })
  })
}
