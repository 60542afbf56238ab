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
import { GROUP_FIELDS } from '../../src/core/money/usage-report.ts'
import type { UsageRow } from '../../src/ports.ts'
import type { UsageRecord } from '../../src/core/money/usage-record.ts'
import type { LedgerAsk } from '../../src/core/money/ledger/words.ts'
import { usageRecord } from '../support/admission.ts'
import { billOf, ledgerAsk, limits, unlimited } from '../support/ledger.ts'
import { migrateUsage } from '../support/usage-tables.ts'

const aStub = () => env.TENANT_LEDGER.getByName(crypto.randomUUID())
let stub: ReturnType<typeof aStub>
let tenant: string

beforeEach(async () => {
  stub = aStub()
  tenant = crypto.randomUUID()
  await migrateUsage(env.DB)
})

const askFor = (id: string): LedgerAsk => ledgerAsk(id, { tenant, at: Date.now() })

const record = (id: string, change: Partial<UsageRecord> = {}): UsageRecord =>
  usageRecord(id, { tenant, ...change })

const spends = async (leaseId: string, change: Partial<UsageRecord> = {}): Promise<void> => {
  await stub.reserve(askFor(leaseId))
  await stub.settle([{ id: leaseId, usage: record(leaseId, change) }])
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
    stub = env.TENANT_LEDGER.get(stub.id)
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

  test('is counted once, said twice together, later, or after a restart', async () => {
    await stub.reserve(askFor('a'))
    const said = [{ id: 'a', usage: record('a') }]
    await Promise.all([stub.settle(said), stub.settle(said)])
    await stub.settle(said)
    await evictDurableObject(stub)
    await stub.settle(said)
    expect(await stub.pendingUsage(tenant)).toMatchObject([{ requests: 1, outputTokens: 20 }])
    await runDurableObjectAlarm(stub)
    await stub.settle(said)
    expect(await stub.pendingUsage(tenant)).toEqual([])
    expect(await inD1()).toMatchObject([{ requests: 1 }])
    expect(await stub.report(unlimited)).toMatchObject({ spentDayNanoUsd: 220_000, running: 0 })
  })

  test('that reaches the outbox twice is in it once: the outbox counts a record once', async () => {
    await runInDurableObject(stub, (_, { storage }) => {
      const outbox = new UsageOutbox(storage, Date.now)
      const records = new Map([['twice', record('twice')]])
      outbox.add(records)
      outbox.add(new Map([...records, ['other', record('other')]]))
      expect(outbox.findPending(tenant)).toMatchObject([{ requests: 2 }])
    })
  })

  test('many at once are written together', async () => {
    const writes = await runInDurableObject(stub, async (ledger, { storage }) => {
      const transactions = vi.spyOn(storage, 'transactionSync')
      for (let call = 0; call < 200; call++) ledger.reserve(askFor(`c${call}`))
      await Promise.all(
        Array.from({ length: 200 }, (_, call) =>
          ledger.settle([{ id: `c${call}`, usage: record(`c${call}`) }]),
        ),
      )
      return transactions.mock.calls.length
    })
    // The first at once, the others with the next group.
    expect(writes).toBeLessThanOrEqual(2)
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
    await stub.pendingUsage(tenant)
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
  const query = () => ({ tenant, from: '2026-11-01', to: '2026-11-30', groupBy: GROUP_FIELDS })
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
        outbox.add(new Map([[`r${user}`, record(`r${user}`, { user: `u${user}` })]]))
      }
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
        outbox.add(new Map([[`r${hour}`, record(`r${hour}`)]]))
      }
      return storage.sql.exec('SELECT id FROM usage_counted ORDER BY hour').toArray()
    })
    expect(remembered).toEqual([{ id: 'r9' }, { id: 'r10' }, { id: 'r11' }])
  })
})

test('a ledger does not say kept what could not be written, and keeps it for the next try', async () => {
  await runInDurableObject(stub, async (ledger, { storage }) => {
    storage.sql.exec('ALTER TABLE usage_outbox RENAME TO away')
    const said = [{ id: 'a', usage: record('a') }]
    await expect(ledger.settle(said)).rejects.toThrow(/usage_outbox/)
    storage.sql.exec('ALTER TABLE away RENAME TO usage_outbox')
    await ledger.settle(said)
    expect(ledger.pendingUsage(tenant)).toMatchObject([{ requests: 1 }])
  })
})

describe('an object that goes away in the middle', () => {
  const budget = (dayNanoUsd: number): Partial<LedgerAsk> => ({
    limits: limits({ dayNanoUsd, maxConcurrent: 3 }),
  })
  const asks = (change: Partial<LedgerAsk>): LedgerAsk[] =>
    ['a', 'b', 'c'].map((id) => ({ ...askFor(id), ...change }))
  const kinds = async (all: readonly LedgerAsk[]): Promise<string[]> =>
    (await Promise.all(all.map((ask) => stub.reserve(ask)))).map(({ kind }) => kind)

  test.each([
    ['evicted', () => evictDurableObject(stub)],
    ['aborted', () => abortAllDurableObjects()],
  ])('%s at the end of a budget, forgets no grant that it gave', async (_, goAway) => {
    // Two may run, of those that cost 10,200 at most.
    const own = asks(budget(15_000))
    expect(await kinds(own)).toEqual(['granted', 'granted', 'busy'])
    await goAway()
    stub = env.TENANT_LEDGER.get(stub.id)
    expect(await kinds(own.slice(2))).toEqual(['busy'])
    await stub.settle(own.slice(0, 1).map((ask) => ({ id: ask.id, usage: billOf(ask, 10) })))
    expect(await kinds(own.slice(2))).toEqual(['granted'])
  })

  test('a call that it forgot keeps its place by its next renewal, and is billed once', async () => {
    const [ask] = asks(budget(1e12))
    if (ask === undefined) throw new Error('There is no ask')
    await stub.reserve(ask)
    await stub.pendingUsage(tenant)
    // Far from the end a grant is written with the next group: as if this one had not been.
    await runInDurableObject(stub, (_, { storage }) => {
      storage.sql.exec('DELETE FROM ledger_leases')
    })
    await abortAllDurableObjects()
    stub = env.TENANT_LEDGER.get(stub.id)
    expect(await stub.report(ask.limits)).toMatchObject({ running: 0 })
    const renewal = { ask, allowanceNanoUsd: null, progress: null }
    expect(await stub.renew(renewal)).toMatchObject({ kind: 'go' })
    expect(await stub.report(ask.limits)).toMatchObject({ running: 1 })
    await stub.settle([{ id: ask.id, usage: billOf(ask, 90) }])
    await abortAllDurableObjects()
    stub = env.TENANT_LEDGER.get(stub.id)
    expect(await stub.renew(renewal)).toEqual({ kind: 'ended' })
    expect(await stub.report(ask.limits)).toMatchObject({ running: 0, spentDayNanoUsd: 1_000 })
  })

  test('bills a call whose isolate died as well, once it is asked or woken again', async () => {
    const [ask] = asks({ ...budget(1e12), ttlMs: 300 })
    if (ask === undefined) throw new Error('There is no ask')
    await stub.reserve(ask)
    await stub.pendingUsage(tenant)
    await abortAllDurableObjects()
    stub = env.TENANT_LEDGER.get(stub.id)
    await vi.waitFor(
      async () => expect(await stub.report(ask.limits)).toMatchObject({ running: 0 }),
      { timeout: 3_000 },
    )
    // By estimate, since it had told nothing; its real bill may still come, and replaces that.
    expect(await stub.report(ask.limits)).toMatchObject({ spentDayNanoUsd: 10_100 })
    await stub.settle([{ id: ask.id, usage: billOf(ask, 90) }])
    expect(await stub.report(ask.limits)).toMatchObject({ spentDayNanoUsd: 1_000 })
    expect(await stub.pendingUsage(tenant)).toMatchObject([{ requests: 1, outputTokens: 90 }])
  })
})
