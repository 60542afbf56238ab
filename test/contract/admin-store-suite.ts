// What every AdminStore does, whatever database holds it. The database is migrated and otherwise empty.
import { beforeAll, describe, expect, test } from 'vitest'
import type { KeyRecord } from '../../src/core/admin/key-body.ts'
import type { TenantRecord } from '../../src/core/admin/tenant-body.ts'
import type { KeyStore } from '../../src/ports.ts'
import type {
  AdminSession,
  AdminStore,
  AdminWrite,
  EventFilter,
  StoredAnswer,
} from '../../src/ports/admin.ts'

const EVERYTHING: EventFilter = {
  action: null,
  target: null,
  tenant: null,
  from: null,
  to: null,
}
const AT = 1_795_000_000_123
let made = 0
const newId = (kind: string): string => `${kind}${String(++made).padStart(10 - kind.length, '0')}`

const write = (changes: Partial<AdminWrite> = {}): AdminWrite => ({
  at: AT,
  actor: 'admin:test',
  requestId: 'req_1',
  eventId: newId('evt'),
  answer: null,
  ...changes,
})

const tenantWith = (changes: Partial<TenantRecord> = {}): TenantRecord => ({
  id: newId('t'),
  name: 'Acme "quoted" \u00e4',
  tier: 'free',
  settings: { origins: ['https://app.acme.test'], cache_ttl_seconds: 60 },
  overrides: { requests_per_minute: null, budget_usd_per_day: 0.5 },
  disabled: false,
  createdAt: AT,
  ...changes,
})

const keyOf = (tenant: string, changes: Partial<KeyRecord> = {}): KeyRecord => ({
  id: newId('k'),
  tenant,
  name: 'first',
  createdAt: AT,
  lastUsedAt: null,
  expiresAt: AT + 1,
  models: ['claude-haiku-*'],
  origins: null,
  ips: ['10.0.0.0/8'],
  disabled: false,
  ...changes,
})

const answerWith = (changes: Partial<StoredAnswer> = {}): StoredAnswer => ({
  name: newId('n').padEnd(64, '0'),
  fingerprint: 'f'.repeat(64),
  status: 201,
  sealed: 'sealed',
  ...changes,
})

const HASH = 'a'.repeat(64)

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

    test('changes nothing of a tenant that is not there, and writes no event', async () => {
      expect(await session.changeTenant('nobody', { name: 'x' }, write())).toBeNull()
      expect(await session.removeTenant('nobody', write())).toBe(false)
      expect(await eventsOf('nobody')).toEqual([])
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

    test('says who changed what, before and after, the latest first', async () => {
      const { id } = await addedTenant({ overrides: {} })
      const renamed = write({ at: AT + 5, actor: 'admin:other', requestId: 'req_2' })
      await session.changeTenant(id, { name: 'new', disabled: true }, renamed)
      await session.removeTenant(id, write({ at: AT + 9 }))
      const [removed, updated, created] = await eventsOf(id)
      const before = { id, name: 'Acme "quoted" \u00e4', tier: 'free', disabled: false }
      expect(created).toMatchObject({ action: 'tenant.create', tenant: id, before: null })
      expect(created?.after).toEqual({
        ...before,
        settings: { origins: ['https://app.acme.test'], cache_ttl_seconds: 60 },
        overrides: {},
        created_at: new Date(AT).toISOString(),
      })
      expect(updated).toMatchObject({
        id: renamed.eventId,
        at: AT + 5,
        actor: 'admin:other',
        requestId: 'req_2',
        action: 'tenant.update',
        before,
        after: { ...before, name: 'new', disabled: true },
      })
      expect(removed).toMatchObject({ action: 'tenant.delete', after: null })
    })

    test('leaves no secret in the events of a key', async () => {
      const { id: tenant } = await addedTenant()
      const key = keyOf(tenant)
      await session.addKey(key, 'b'.repeat(64), write())
      const rotation = { secretHash: 'c'.repeat(64), formerUntil: AT + 60_000 }
      expect(await session.rotateKey(key.id, rotation, write())).toBe(true)
      const events = await eventsOf(key.id)
      expect(events.map(({ action }) => action)).toEqual(['key.rotate', 'key.create'])
      expect(events.map((event) => event.tenant)).toEqual([tenant, tenant])
      expect(events[0]?.after).toMatchObject({
        former_secret_until: new Date(AT + 60_000).toISOString(),
      })
      expect(JSON.stringify(events)).not.toMatch(/b{10}|c{10}|hash/)
    })

    test('tells two rotations of one moment apart, and does one that comes twice once', async () => {
      const { id: tenant } = await addedTenant()
      const key = keyOf(tenant)
      await session.addKey(key, HASH, write())
      const rotate = (digit: string, answer: StoredAnswer) => {
        const rotation = { secretHash: digit.repeat(64), formerUntil: AT }
        return session.rotateKey(key.id, rotation, write({ answer }))
      }
      const answer = answerWith()
      await rotate('1', answerWith())
      await rotate('2', answer)
      await expect(rotate('3', answer)).rejects.toThrow()
      expect(await eventsOf(key.id)).toHaveLength(3)
      expect((await keys.findKey(key.id))?.secretHash).toBe('2'.repeat(64))
    })

    test('writes no event where nothing changed', async () => {
      const { id, name } = await addedTenant()
      await session.changeTenant(id, { name }, write())
      expect(await eventsOf(id)).toHaveLength(1)
    })

    test('leaves a chain of events, each beginning where the one before ended, when many change at once', async () => {
      const { id } = await addedTenant()
      const changes = Array.from({ length: 12 }, (_, at) =>
        store
          .open({ from: 'primary', bookmark: null })
          .changeTenant(
            id,
            at % 2 === 0 ? { name: `name ${at}` } : { settings: { cache_ttl_seconds: at } },
            write(),
          ),
      )
      await Promise.all(changes)
      const events = (await eventsOf(id)).toReversed()
      expect(events).toHaveLength(13)
      for (const [at, event] of events.entries()) {
        if (at > 0) expect(event.before).toEqual(events[at - 1]?.after)
      }
      const last = await session.findTenant(id)
      expect(events.at(-1)?.after).toMatchObject({ name: last?.name, settings: last?.settings })
    })

    test('keeps an answer with its change, or neither', async () => {
      const answer = answerWith()
      const first = tenantWith()
      const second = tenantWith()
      await session.addTenant(first, write({ answer }))
      expect(await session.findAnswer(answer.name, AT)).toEqual(answer)
      await expect(session.addTenant(second, write({ answer }))).rejects.toThrow()
      expect(await session.findTenant(second.id)).toBeNull()
      expect(await eventsOf(second.id)).toEqual([])
    })

    test('keeps no answer of a change that did not happen', async () => {
      const answer = answerWith()
      expect(await session.addKey(keyOf('nobody'), HASH, write({ answer }))).toBe(false)
      expect(await session.findAnswer(answer.name, 0)).toBeNull()
    })

    test('makes one of many tenants that are sent at once under one name', async () => {
      const answer = answerWith()
      const tenants = Array.from({ length: 20 }, () => tenantWith())
      const outcomes = await Promise.allSettled(
        tenants.map((tenant) =>
          store.open({ from: 'primary', bookmark: null }).addTenant(tenant, write({ answer })),
        ),
      )
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      const found = await Promise.all(tenants.map(({ id }) => session.findTenant(id)))
      expect(found.filter((tenant) => tenant !== null)).toHaveLength(1)
    })

    test('forgets an answer after a day', async () => {
      const answer = answerWith()
      await session.addTenant(tenantWith(), write({ answer }))
      expect(await session.findAnswer(answer.name, AT + 1)).toBeNull()
      const later = write({ answer, at: AT + 24 * 3_600_000 + 1 })
      expect(await session.addTenant(tenantWith(), later)).toBe(true)
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

    test('finds events by each filter, and by all of them', async () => {
      const { id } = await addedTenant()
      await session.changeTenant(id, { name: 'x' }, write({ at: AT + 100 }))
      const action = `gate.open`
      const event = { action, target: id, tenant: null, before: null, after: { open: true } }
      await session.addEvent(event, write({ at: AT + 200 }))
      const find = async (filter: Partial<EventFilter>) =>
        (
          await session.listEvents(
            { ...EVERYTHING, target: id, ...filter },
            { limit: 9, after: null },
          )
        ).data.map((found) => found.action)
      expect(await find({})).toEqual(['gate.open', 'tenant.update', 'tenant.create'])
      expect(await find({ action: 'tenant.update' })).toEqual(['tenant.update'])
      expect(await find({ tenant: id })).toEqual(['tenant.update', 'tenant.create'])
      expect(await find({ from: AT + 100 })).toEqual(['gate.open', 'tenant.update'])
      expect(await find({ to: AT + 100 })).toEqual(['tenant.update', 'tenant.create'])
      expect(await find({ from: AT + 1, to: AT + 100, tenant: id })).toEqual(['tenant.update'])
      const [last] = (
        await session.listEvents({ ...EVERYTHING, target: id }, { limit: 1, after: null })
      ).data
      expect(last?.after).toEqual({ open: true })
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
