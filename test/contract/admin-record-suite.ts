// What every AdminStore remembers of its changes: who did what, and what was answered.
import { beforeAll, describe, expect, test } from 'vitest'
import type { TenantRecord } from '../../src/core/admin/tenant-body.ts'
import type { AdminSession, AdminStore, EventFilter, StoredAnswer } from '../../src/ports/admin.ts'
import type { KeyStore } from '../../src/ports.ts'
import {
  AT,
  EVERYTHING,
  HASH,
  answerWith,
  keyOf,
  tenantWith,
  write,
} from '../support/admin-records.ts'
import type { OpenedStores } from './admin-store-suite.ts'

export function describeAdminRecord(adapter: string, open: () => Promise<OpenedStores>): void {
  describe(`the record of an admin store: ${adapter}`, () => {
    let store: AdminStore
    let keys: KeyStore
    let session: AdminSession
    beforeAll(async () => {
      ;({ store, keys } = await open())
      session = store.open({ from: 'primary', bookmark: null })
    })
    const eventsOf = async (target: string) =>
      (await session.listEvents({ ...EVERYTHING, target }, { limit: 100, after: null })).data

    async function addedTenant(changes: Partial<TenantRecord> = {}): Promise<TenantRecord> {
      const tenant = tenantWith(changes)
      expect(await session.addTenant(tenant, write())).toBe(true)
      return tenant
    }

    test('changes nothing of a tenant that is not there, and writes no event', async () => {
      expect(await session.changeTenant('nobody', { name: 'x' }, write())).toBeNull()
      expect(await session.removeTenant('nobody', write())).toBe(false)
      expect(await eventsOf('nobody')).toEqual([])
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
  })
}
