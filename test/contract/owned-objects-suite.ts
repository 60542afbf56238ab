// What every adapter of the port OwnedObjects promises. Its database is migrated.
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { OwnedObject } from '../../src/core/owned/owned-object.ts'
import type { OwnedObjects } from '../../src/ports/owned-objects.ts'

const NOW = 1_800_000_000_000
const page = (change: object = {}) => ({ limit: 2, afterId: null, beforeId: null, ...change })

export function describeOwnedObjects(name: string, open: () => Promise<OwnedObjects>): void {
  describe(`owned objects: ${name}`, () => {
    let owned: OwnedObjects
    let tenant: string
    beforeAll(async () => {
      owned = await open()
    })
    beforeEach(() => {
      tenant = crypto.randomUUID()
    })

    let made = 0
    const keep = async (change: Partial<OwnedObject> = {}): Promise<OwnedObject> => {
      made += 1
      const object: OwnedObject = {
        id: `msgbatch_${tenant.slice(0, 8)}${made}`,
        kind: 'batch',
        tenant,
        account: 'main',
        key: 'k',
        user: '',
        createdAt: NOW,
        expiresAt: null,
        shown: `{"n":${made}}`,
        isFinal: false,
        ...change,
      }
      await owned.keep(object)
      return object
    }
    const idsOf = async (change: object = {}, now = NOW) => {
      const listed = await owned.list(tenant, 'batch', page(change), now)
      return listed === null ? null : [listed.objects.map(({ id }) => id), listed.hasMore]
    }

    it('are found by their owner, and by nobody else or as another kind', async () => {
      const object = await keep()
      expect(await owned.find(tenant, 'batch', object.id)).toEqual(object)
      expect(await owned.find('other', 'batch', object.id)).toBeNull()
      expect(await owned.find(tenant, 'file', object.id)).toBeNull()
      expect(await owned.findOwners([object.id, 'msgbatch_none'])).toEqual([
        { id: object.id, tenant, account: 'main' },
      ])
    })

    it('are kept once: a second owner of an id changes nothing', async () => {
      const object = await keep()
      await owned.keep({ ...object, tenant: 'thief', account: 'other' })
      expect(await owned.find(tenant, 'batch', object.id)).toEqual(object)
      expect(await owned.find('thief', 'batch', object.id)).toBeNull()
    })

    it('are listed the newest first, in pages that go on and back', async () => {
      const ids: string[] = []
      for (let at = 0; at < 5; at += 1) {
        ids.unshift((await keep()).id)
        await owned.keep({ ...(await keep({ tenant: 'other' })), id: `msgbatch_o${made}` })
      }
      expect(await idsOf()).toEqual([ids.slice(0, 2), true])
      expect(await idsOf({ afterId: ids[1] })).toEqual([ids.slice(2, 4), true])
      expect(await idsOf({ afterId: ids[3] })).toEqual([ids.slice(4), false])
      expect(await idsOf({ beforeId: ids[4] })).toEqual([ids.slice(2, 4), true])
      expect(await idsOf({ beforeId: ids[2] })).toEqual([ids.slice(0, 2), false])
      expect(await idsOf({ afterId: ids[4] })).toEqual([[], false])
      expect(await idsOf({ limit: 5 })).toEqual([ids, false])
      expect(await idsOf({ afterId: `msgbatch_o${made}` })).toBeNull()
      expect(await idsOf({ beforeId: 'msgbatch_none' })).toBeNull()
    })

    it('that have expired are in no list', async () => {
      const { id } = await keep({ expiresAt: NOW + 10 })
      expect(await idsOf()).toEqual([[id], false])
      expect(await idsOf({}, NOW + 10)).toEqual([[], false])
    })

    it('are shown as they were last seen, until they change no more', async () => {
      const { id } = await keep()
      const seen = { id, hasEnded: true, expiresAt: null }
      await owned.see({ ...seen, shown: '{"a":1}', isFinal: false })
      await owned.see({ ...seen, shown: '{"a":2}', isFinal: true })
      await owned.see({ ...seen, shown: '{"a":3}', isFinal: false })
      expect(await owned.find(tenant, 'batch', id)).toMatchObject({
        shown: '{"a":2}',
        isFinal: true,
      })
    })

    it('are forgotten', async () => {
      const { id } = await keep()
      await owned.forget(id)
      await owned.forget(id)
      expect(await owned.find(tenant, 'batch', id)).toBeNull()
      expect(await owned.isBilled(id)).toBe(true)
    })

    it('are unbilled until they are billed, files never', async () => {
      const old = NOW - 1_000_000
      const { id } = await keep({ createdAt: old })
      await keep({ createdAt: old, kind: 'file', id: `file_${made}` })
      await keep()
      const unbilled = async () => (await owned.findUnbilled(old + 1, 100)).map((each) => each.id)
      expect(await unbilled()).toEqual([id])
      expect(await owned.isBilled(id)).toBe(false)
      await owned.markBilled(id, NOW)
      expect(await owned.isBilled(id)).toBe(true)
      expect(await unbilled()).toEqual([])
    })
  })
}
