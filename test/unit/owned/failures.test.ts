// What is left when a store, a ledger or Claude fails in the middle: no object without an owner, no bill twice, none lost.
import { describe, expect, it } from 'vitest'
import type { Account } from '../../../src/core/answering/account.ts'
import type { OwnedObject } from '../../../src/core/owned/owned-object.ts'
import { GatewayError } from '../../../src/core/errors.ts'
import { billBatch, billLeftBatches } from '../../../src/flows/owned/bill-batch.ts'
import { keepObject } from '../../../src/flows/owned/keep-object.ts'
import type { Call } from '../../../src/flows/call.ts'
import type { Services, UpstreamCall } from '../../../src/ports.ts'
import { callerWith } from '../../support/callers.ts'

const NOW = 1_800_000_000_000
const DAY_MS = 86_400_000
const RESULTS = JSON.stringify({
  custom_id: 'a',
  result: {
    type: 'succeeded',
    message: { model: 'claude-haiku-4-5', usage: { input_tokens: 1_000, output_tokens: 0 } },
  },
})

const batch: OwnedObject = {
  id: 'msgbatch_1',
  kind: 'batch',
  tenant: 'acme',
  account: 'main',
  key: 'k1',
  user: 'u1',
  createdAt: NOW - DAY_MS,
  expiresAt: null,
  shown: '{}',
  isFinal: true,
}

interface World {
  readonly services: Services
  readonly sent: { readonly account: string; readonly call: UpstreamCall }[]
  readonly settled: unknown[]
  readonly billed: Set<string>
  readonly logs: string[]
  failing: 'keep' | 'settle' | 'results' | null
}

function openWorld(left: readonly OwnedObject[] = []): World {
  const world: World = {
    sent: [],
    settled: [],
    billed: new Set(),
    logs: [],
    failing: null,
    services: {
      config: { upstream: { firstByteTimeoutMs: 1_000 } },
      accounts: { usable: async () => [{ id: 'main' } as Account] },
      upstream: {
        async send(account: Account, call: UpstreamCall) {
          world.sent.push({ account: account.id, call })
          if (world.failing === 'results') return new Response('no', { status: 500 })
          return new Response(RESULTS)
        },
      },
      ledgers: {
        async settle(_tenant: string, settlement: unknown) {
          if (world.failing === 'settle') throw new Error('down')
          world.settled.push(settlement)
        },
      },
      owned: {
        async keep() {
          if (world.failing === 'keep') throw new GatewayError('store_unavailable', 'down')
        },
        isBilled: async (id: string) => world.billed.has(id),
        markBilled: async (id: string) => void world.billed.add(id),
        findUnbilled: async () => left.filter(({ id }) => !world.billed.has(id)),
      },
      now: () => NOW,
      log: ({ event }: { event: string }) => void world.logs.push(event),
    } as Partial<Record<keyof Services, unknown>> as Services,
  }
  return world
}

const callWith = (deferred: Promise<unknown>[]): Call =>
  ({
    caller: callerWith({}),
    user: '',
    headers: { 'anthropic-version': '2023-06-01' },
    scope: { defer: (work: Promise<unknown>) => void deferred.push(work) },
  }) as unknown as Call

describe('an object whose owner cannot be kept', () => {
  it.each([
    ['batch', '{"id":"msgbatch_9"}', 'POST', '/v1/messages/batches/msgbatch_9/cancel'],
    ['file', '{"id":"file_9"}', 'DELETE', '/v1/files/file_9'],
  ] as const)(
    'a %s is undone at Claude, and its caller is told',
    async (kind, json, method, target) => {
      const world = openWorld()
      world.failing = 'keep'
      const deferred: Promise<unknown>[] = []
      const kept = keepObject(world.services, callWith(deferred), { kind, account: 'main', json })
      await expect(kept).rejects.toMatchObject({ reason: 'store_unavailable' })
      await Promise.all(deferred)
      expect(world.sent.map(({ account, call }) => [account, call.method, call.target])).toEqual([
        ['main', method, target],
      ])
      expect(world.logs).toEqual(['owner_not_kept'])
    },
  )

  it('is none where Claude answered something else', async () => {
    const made = { kind: 'batch', account: 'main', json: '<html>' } as const
    const kept = keepObject(openWorld().services, callWith([]), made)
    await expect(kept).rejects.toMatchObject({ reason: 'upstream_invalid' })
  })
})

describe('the bill of a batch', () => {
  it('is one line a model, at half price, to who made it, and not of tokens a minute', async () => {
    const world = openWorld()
    await billBatch(world.services, batch)
    expect(world.settled).toEqual([
      {
        id: 'msgbatch_1:claude-haiku-4-5',
        isBatch: true,
        usage: {
          requestId: 'msgbatch_1:claude-haiku-4-5',
          tenant: 'acme',
          key: 'k1',
          user: 'u1',
          at: batch.createdAt,
          model: 'claude-haiku-4-5',
          requests: 1,
          inputTokens: 1_000,
          outputTokens: 0,
          cacheWriteTokens: 0,
          cacheReadTokens: 0,
          costNanoUsd: 500_000,
          savedNanoUsd: 0,
          estimated: false,
        },
      },
    ])
    await billBatch(world.services, batch)
    expect(world.settled).toHaveLength(1)
    expect(world.sent).toHaveLength(1)
  })

  it.each(['settle', 'results'] as const)(
    'stays open where the %s fail, and is made later',
    async (part) => {
      const world = openWorld()
      world.failing = part
      await expect(billBatch(world.services, batch)).rejects.toThrow()
      expect([world.billed.size, world.settled.length]).toEqual([0, 0])
      world.failing = null
      await billBatch(world.services, batch)
      expect([world.billed.size, world.settled.length]).toEqual([1, 1])
    },
  )

  it('that nobody looked for is made by and by, and given up when Claude has nothing any more', async () => {
    const old = { ...batch, id: 'msgbatch_old', createdAt: NOW - 31 * DAY_MS }
    const world = openWorld([batch, old])
    await billLeftBatches(world.services)
    expect(world.billed).toEqual(new Set(['msgbatch_1', 'msgbatch_old']))
    expect(world.settled).toHaveLength(1)
    expect(world.logs).toEqual(['batch_bill_given_up'])
  })
})
