/// <reference types="@cloudflare/vitest-plugin/types" />
// The gate's tables: every historical state can be brought up to date, and no other.
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, test } from 'vitest'
import { GATE_MIGRATIONS } from '../../durable-objects/gate-schema.ts'
import { GateStore } from '../../durable-objects/gate-store.ts'
import { migrate } from '../../durable-objects/migrate.ts'
import { gateSettings } from '../support/admission.ts'

const onEmptyStorage = <T>(work: (storage: DurableObjectStorage) => T): Promise<Awaited<T>> =>
  runInDurableObject(
    env.ACCOUNT_GATE.getByName(crypto.randomUUID()),
    async (_, { storage }): Promise<Awaited<T>> => {
      await storage.deleteAll()
      return await work(storage)
    },
  )

const appliedIn = (storage: DurableObjectStorage): unknown[] =>
  storage.sql
    .exec('SELECT id FROM migrations ORDER BY seq')
    .toArray()
    .map(({ id }) => id)

describe('migrations', () => {
  test.each(GATE_MIGRATIONS.map(({ id }, index) => [id, index + 1]))(
    'from %s on lead to a gate that works',
    async (_, length) => {
      await onEmptyStorage((storage) => {
        migrate(storage, GATE_MIGRATIONS.slice(0, length))
        const gate = new GateStore(storage).load(gateSettings())
        expect(gate.epoch).toBe(1)
        expect(appliedIn(storage)).toEqual(GATE_MIGRATIONS.map(({ id }) => id))
      })
    },
  )

  test('are applied once', async () => {
    await onEmptyStorage((storage) => {
      migrate(storage, GATE_MIGRATIONS)
      migrate(storage, GATE_MIGRATIONS)
      expect(appliedIn(storage)).toHaveLength(GATE_MIGRATIONS.length)
    })
  })

  test('refuse to run on tables of a newer version', async () => {
    await onEmptyStorage((storage) => {
      migrate(storage, [...GATE_MIGRATIONS, { id: 'future', sql: 'CREATE TABLE future (id)' }])
      expect(() => migrate(storage, GATE_MIGRATIONS)).toThrow(/newer schema/)
    })
  })

  test('refuse a list that was reordered', async () => {
    await onEmptyStorage((storage) => {
      migrate(storage, GATE_MIGRATIONS)
      expect(() => migrate(storage, GATE_MIGRATIONS.toReversed())).toThrow(/append-only/)
    })
  })

  test('that fail leave nothing behind', async () => {
    await onEmptyStorage((storage) => {
      const broken = [...GATE_MIGRATIONS, { id: 'broken', sql: 'CREATE TABLE gate (id)' }]
      expect(() => migrate(storage, broken)).toThrow(/already exists/)
      expect(appliedIn(storage)).toEqual([])
    })
  })
})
