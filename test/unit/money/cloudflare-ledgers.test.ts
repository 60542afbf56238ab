// A ledger that throws, hangs, is overloaded or comes back: what its callers are told, and what becomes of the bills.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  cloudflareLedgers,
  type LedgerNamespace,
  type LedgerStub,
} from '../../../src/adapters/cloudflare/ledgers.ts'
import type { LedgerSettlement } from '../../../src/core/money/ledger/words.ts'
import type { Ledgers } from '../../../src/ports.ts'
import { billOf, ledgerAsk } from '../../support/ledger.ts'

const HOUR_MS = 3_600_000
/** Longer than all tries of one bill. */
const TRIES_MS = 20_000

type Asked = { readonly method: string; readonly tenant: string; readonly ids: readonly string[] }

let asked: Asked[]
let answer: (tenant: string) => Promise<unknown>
let ledgers: Ledgers

beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
  asked = []
  answer = async () => granted
  const stubOf = (tenant: string) => ({
    reserve: ({ id }: { id: string }) => hear('reserve', tenant, [id]),
    renew: ({ ask }: { ask: { id: string } }) => hear('renew', tenant, [ask.id]),
    settle: (ended: readonly LedgerSettlement[]) =>
      hear(
        'settle',
        tenant,
        ended.map(({ id }) => id),
      ),
  })
  const namespace = { getByName: (name: string) => stubOf(name) as unknown as LedgerStub }
  ledgers = cloudflareLedgers(namespace as LedgerNamespace, { log: () => {} })
})
afterEach(() => vi.useRealTimers())

const granted = { kind: 'granted', expiresAt: 0, allowanceNanoUsd: null, left: {} }

const hear = (method: string, tenant: string, ids: readonly string[]): Promise<unknown> => {
  asked.push({ method, tenant, ids })
  return answer(tenant)
}

const flagged = (flags: object): Error => Object.assign(new Error('broken'), flags)

const settle = (tenant: string, id: string): Promise<unknown> =>
  ledgers
    .settle(tenant, { id, usage: billOf(ledgerAsk(id, { tenant }), 1) })
    .catch((error: unknown) => error)

async function passes<T>(work: Promise<T>, ms = TRIES_MS): Promise<T> {
  await vi.advanceTimersByTimeAsync(ms)
  return work
}

describe('an ask', () => {
  test.each([
    ['throws', flagged({}), 1],
    ['is overloaded', flagged({ overloaded: true, retryable: true }), 1],
    ['may be asked again', flagged({ retryable: true }), 2],
  ])(
    'of a ledger that %s says so at last, and asks no more than it may',
    async (_, error, times) => {
      answer = () => Promise.reject(error)
      expect(await ledgers.reserve(ledgerAsk('a'))).toEqual({ kind: 'unavailable' })
      expect(asked.map(({ ids }) => ids)).toEqual(Array.from({ length: times }, () => ['a']))
    },
  )

  test('of a ledger that hangs is over within its bound', async () => {
    answer = () => new Promise(() => {})
    const heard = vi.fn()
    void ledgers.reserve(ledgerAsk('a')).then(heard)
    void ledgers.renew({ ask: ledgerAsk('a'), allowanceNanoUsd: null, progress: null }).then(heard)
    await vi.advanceTimersByTimeAsync(2_500)
    expect(heard.mock.calls).toEqual([[{ kind: 'unavailable' }], [{ kind: 'unavailable' }]])
  })
})

describe('a bill', () => {
  test('is told again until it is kept', async () => {
    let failures = 3
    answer = async () => {
      failures -= 1
      if (failures >= 0) throw flagged({})
    }
    expect(await passes(settle('acme', 'a'))).toBeUndefined()
    expect(asked).toHaveLength(4)
  })

  test("that could not be told goes with the tenant's next", async () => {
    answer = () => Promise.reject(flagged({ overloaded: true }))
    expect(await passes(settle('acme', 'a'))).toBeInstanceOf(Error)
    answer = async () => {}
    expect(await passes(settle('acme', 'b'))).toBeUndefined()
    expect(asked.at(-1)?.ids).toEqual(['a', 'b'])
    expect(await passes(settle('acme', 'c'))).toBeUndefined()
    expect(asked.at(-1)?.ids).toEqual(['c'])
  })

  test('that could not be told goes behind that of any other tenant', async () => {
    const down = new Set(['acme', 'bolt'])
    answer = async (tenant) => {
      if (down.has(tenant)) throw flagged({ overloaded: true })
    }
    for (const tenant of down) await passes(settle(tenant, `of ${tenant}`))
    await passes(settle('other', 'x'))
    down.clear()
    asked = []
    await passes(settle('other', 'y'))
    expect(asked.map(({ ids }) => ids.join())).toEqual(['y', 'of bolt', 'of acme'])
  })

  test('so old that its ledger may have forgotten that it counted it is not told', async () => {
    answer = () => Promise.reject(flagged({ overloaded: true }))
    await passes(settle('acme', 'a'))
    answer = async () => {}
    asked = []
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    await passes(settle('acme', 'b'))
    expect(asked.flatMap(({ ids }) => ids)).toEqual(['b'])
  })
})
