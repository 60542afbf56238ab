/// <reference types="@cloudflare/vitest-plugin/types" />
// Usage from a settlement to D1: kept before it is acknowledged, counted once, rolled up once.
import {
  abortAllDurableObjects,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { UsageOutbox } from '../../durable-objects/usage-outbox.ts'
import { rollUp } from '../../durable-objects/usage-rollup.ts'
import { readUsageOnce } from '../../src/adapters/cloudflare/usage-snapshot.ts'
import type { UsageRow } from '../../src/ports.ts'
import type { UsageRecord } from '../../src/core/money/usage-record.ts'
import schema from '../../migrations/0002_usage.sql?raw'
import { ask, served, settlement, usageRecord } from '../support/admission.ts'

const aStub = () => env.ACCOUNT_GATE.getByName(crypto.randomUUID())
let stub: ReturnType<typeof aStub>
let tenant: string

beforeEach(async () => {
  stub = aStub()
  tenant = crypto.randomUUID()
  const statements = schema
    .replaceAll(/--.*$/gm, '')
    .split(';')
    .map((sql) => sql.trim())
    .filter((sql) => sql !== '')
  for (const sql of statements) {
    await env.DB.prepare(sql.replace(/^CREATE (TABLE|INDEX)/, 'CREATE $1 IF NOT EXISTS')).run()
  }
})

const record = (id: string, change: Partial<UsageRecord> = {}): UsageRecord =>
  usageRecord(id, { tenant, ...change })

const spends = async (leaseId: string, change: Partial<UsageRecord> = {}): Promise<void> => {
  await stub.admit(ask(leaseId, { limit: 1_000 }))
  await stub.settle(settlement(leaseId, served, { usage: record(leaseId, change) }), null)
}

const inD1 = async (): Promise<Record<string, unknown>[]> => {
  const query = 'SELECT * FROM usage WHERE tenant = ? ORDER BY day, model, user'
  return (await env.DB.prepare(query).bind(tenant).all()).results
}

const ROW = {
  day: '2026-11-21',
  model: 'claude-sonnet-5',
  key: 'k',
  user: '',
}

describe('a settlement', () => {
  test('is acknowledged only once its usage is on disk', async () => {
    await spends('a')
    await abortAllDurableObjects()
    stub = env.ACCOUNT_GATE.get(stub.id)
    expect(await stub.pendingUsage(tenant)).toEqual([
      {
        ...ROW,
        tenant,
        requests: 1,
        inputTokens: 10,
        outputTokens: 20,
        cacheWriteTokens: 0,
        cacheReadTokens: 0,
        costNanoUsd: 220_000,
        savedNanoUsd: 0,
        flush: expect.stringMatching(/^[0-9a-f-]{36}:1$/),
      },
    ])
  })

  test('frees its slot before its usage is written', async () => {
    await stub.admit(ask('a', { limit: 1 }))
    const order: string[] = []
    const waiting = stub
      .admit(ask('b', { limit: 1, maxWaitMs: 5_000 }))
      .then(() => order.push('admitted'))
    const settled = stub
      .settle(settlement('a', served, { usage: record('a') }), null)
      .then(() => order.push('acknowledged'))
    await Promise.all([waiting, settled])
    expect(order).toEqual(['admitted', 'acknowledged'])
  })

  test('is counted once, said twice together, later, or after a restart', async () => {
    await stub.admit(ask('a'))
    const said = settlement('a', served, { usage: record('a') })
    await Promise.all([stub.settle(said, null), stub.settle(said, null)])
    await stub.settle(said, null)
    await evictDurableObject(stub)
    await stub.settle(said, null)
    expect(await stub.pendingUsage(tenant)).toMatchObject([{ requests: 1, outputTokens: 20 }])
    await runDurableObjectAlarm(stub)
    await stub.settle(said, null)
    expect(await stub.pendingUsage(tenant)).toEqual([])
    expect(await inD1()).toMatchObject([{ requests: 1 }])
  })

  test('many at once are written together', async () => {
    const writes = await runInDurableObject(stub, async (gate, { storage }) => {
      const changes = () => Number(storage.sql.exec('SELECT total_changes() AS n').one()['n'])
      for (let call = 0; call < 200; call++) await gate.admit(ask(`c${call}`, { limit: 200 }))
      const transactions = vi.spyOn(storage, 'transactionSync')
      const before = changes()
      await Promise.all(
        Array.from({ length: 200 }, (_, call) =>
          gate.settle(settlement(`c${call}`, served, { usage: record(`c${call}`) }), null),
        ),
      )
      return { transactions: transactions.mock.calls.length, rows: changes() - before }
    })
    expect(writes.transactions).toBe(1)
    // 200 ids and one row.
    expect(writes.rows).toBeLessThan(210)
    expect(await stub.pendingUsage(tenant)).toMatchObject([{ requests: 200 }])
  })
})

describe('the roll-up', () => {
  test('sums by day, model, key and user, and empties the outbox', async () => {
    await spends('a')
    await spends('b', { user: 'u', costNanoUsd: 5 })
    await spends('c', { user: 'u', costNanoUsd: 6 })
    await spends('d', { at: Date.UTC(2026, 10, 22), model: 'claude-opus-5' })
    await runDurableObjectAlarm(stub)
    expect(await inD1()).toMatchObject([
      { ...ROW, requests: 1, cost_nano_usd: 220_000 },
      { ...ROW, user: 'u', requests: 2, cost_nano_usd: 11, input_tokens: 20 },
      { day: '2026-11-22', model: 'claude-opus-5', requests: 1 },
    ])
    expect(await stub.pendingUsage(tenant)).toEqual([])
  })

  test('adds to what is there', async () => {
    await spends('a')
    await runDurableObjectAlarm(stub)
    await spends('b')
    await runDurableObjectAlarm(stub)
    expect(await inD1()).toMatchObject([{ requests: 2, output_tokens: 40, cost_nano_usd: 440_000 }])
  })

  test('delivered twice changes nothing', async () => {
    await spends('a')
    const flush = await runInDurableObject(stub, (_, { storage }) => {
      const outbox = new UsageOutbox(storage, () => Date.now())
      outbox.seal()
      return outbox.oldestFlush()
    })
    if (flush === null) throw new Error('Nothing to roll up')
    // D1 has it, and the answer is lost: the object hands the same flush over again.
    await rollUp(env.DB, flush, Date.now())
    await evictDurableObject(stub)
    await stub.isUsable()
    await runDurableObjectAlarm(stub)
    expect(await inD1()).toMatchObject([{ requests: 1, cost_nano_usd: 220_000 }])
    expect(await stub.pendingUsage(tenant)).toEqual([])
  })

  test('that fails keeps every row for the next try', async () => {
    await spends('a')
    await env.DB.prepare('ALTER TABLE usage RENAME TO usage_away').run()
    await runDurableObjectAlarm(stub)
    expect(await stub.pendingUsage(tenant)).toMatchObject([{ requests: 1 }])
    await env.DB.prepare('ALTER TABLE usage_away RENAME TO usage').run()
    await spends('b')
    await runDurableObjectAlarm(stub)
    expect(await inD1()).toMatchObject([{ requests: 2 }])
  })

  test('names and models of any spelling arrive as they are', async () => {
    const odd = `'";\u0000\u2028 ünï "x"`.replace('\u0000', '')
    await spends('a', { user: odd, model: odd, key: odd })
    await runDurableObjectAlarm(stub)
    expect(await inD1()).toMatchObject([{ user: odd, model: odd, key: odd }])
  })

  test('a row carries the flush that D1 will name, so a reader never counts it twice', async () => {
    await spends('a')
    const [pending] = await stub.pendingUsage(tenant)
    await runDurableObjectAlarm(stub)
    const { results } = await env.DB.prepare('SELECT id FROM usage_flushes WHERE id = ?')
      .bind(pending?.flush ?? '')
      .all()
    expect(results).toHaveLength(1)
    await spends('b')
    const [next] = await stub.pendingUsage(tenant)
    expect(next?.flush).not.toBe(pending?.flush)
  })
})

describe('a reader', () => {
  const query = () => ({ tenant, fromDay: '2026-11-01', toDay: '2026-11-30' })
  const requests = (rows: readonly UsageRow[]): number =>
    rows.reduce((sum, row) => sum + row.requests, 0)

  test('counts a call once, before, while and after it moves to D1', async () => {
    await spends('a')
    const before = await stub.pendingUsage(tenant)
    expect(requests(await readUsageOnce(env.DB, query(), before))).toBe(1)
    // The rows arrive between the two readings.
    await runDurableObjectAlarm(stub)
    expect(requests(await readUsageOnce(env.DB, query(), before))).toBe(1)
    await spends('b')
    const after = await stub.pendingUsage(tenant)
    const rows = await readUsageOnce(env.DB, query(), after)
    expect(requests(rows)).toBe(2)
    expect(rows[0]).toEqual({
      ...ROW,
      tenant,
      requests: 1,
      inputTokens: 10,
      outputTokens: 20,
      cacheWriteTokens: 0,
      cacheReadTokens: 0,
      costNanoUsd: 220_000,
      savedNanoUsd: 0,
    })
    expect(rows[1]).not.toHaveProperty('flush')
  })

  test('sees the days that it asks for', async () => {
    await spends('a')
    await spends('b', { at: Date.UTC(2026, 11, 1) })
    const pending = await stub.pendingUsage(tenant)
    expect(requests(await readUsageOnce(env.DB, query(), pending))).toBe(1)
  })
})

describe('the outbox', () => {
  const inOutbox = <T>(
    work: (outbox: UsageOutbox, storage: DurableObjectStorage, setNow: (now: number) => void) => T,
  ): Promise<Awaited<T>> =>
    runInDurableObject(stub, async (_, { storage }): Promise<Awaited<T>> => {
      let now = Date.UTC(2026, 10, 21)
      const outbox = new UsageOutbox(storage, () => now)
      return await work(outbox, storage, (at) => (now = at))
    })

  test('begins another flush when one is full', async () => {
    const flushes = await inOutbox((outbox) => {
      for (let user = 0; user < 1_300; user++) {
        void outbox.keep(`r${user}`, record(`r${user}`, { user: `u${user}` }))
      }
      outbox.write()
      outbox.seal()
      const sizes: number[] = []
      for (let flush = outbox.oldestFlush(); flush !== null; flush = outbox.oldestFlush()) {
        sizes.push(flush.rows.length)
        outbox.dropFlush(flush.number)
      }
      return sizes
    })
    expect(flushes.reduce((sum, size) => sum + size, 0)).toBe(1_300)
    expect(Math.max(...flushes)).toBeLessThan(1_000)
  })

  test('forgets ids after some hours, so its memory is bounded', async () => {
    const remembered = await inOutbox((outbox, storage, setNow) => {
      for (let hour = 0; hour < 12; hour++) {
        setNow(Date.UTC(2026, 10, 21, hour))
        void outbox.keep(`r${hour}`, record(`r${hour}`))
        outbox.write()
      }
      return storage.sql.exec('SELECT id FROM usage_counted ORDER BY hour').toArray()
    })
    expect(remembered).toEqual([{ id: 'r9' }, { id: 'r10' }, { id: 'r11' }])
  })

  test('does not say kept what could not be written', async () => {
    await inOutbox(async (outbox, storage) => {
      storage.sql.exec('ALTER TABLE usage_outbox RENAME TO away')
      const kept = outbox.keep('a', record('a'))
      await expect(kept).rejects.toThrow(/usage_outbox/)
      storage.sql.exec('ALTER TABLE away RENAME TO usage_outbox')
      await outbox.keep('a', record('a'))
      expect(outbox.findPending(tenant)).toMatchObject([{ requests: 1 }])
    })
  })
})
