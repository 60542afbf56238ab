// What one request costs in calls to others, counted at the platform's edge: the whole house with its real adapters, on
// a namespace of objects and a `fetch` that keep a list.
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { anthropicUpstream } from '../../../src/adapters/anthropic/upstream.ts'
import {
  cloudflareAccountGates,
  type GateNamespace,
} from '../../../src/adapters/cloudflare/account-gates.ts'
import {
  cloudflareLedgers,
  type LedgerNamespace,
} from '../../../src/adapters/cloudflare/ledgers.ts'
import {
  memoryAccountGates,
  type MemoryAccountGates,
} from '../../../src/adapters/memory/account-gates.ts'
import { memoryKeyStore } from '../../../src/adapters/memory/key-store.ts'
import { memoryLedgers } from '../../../src/adapters/memory/ledgers.ts'
import { upstashStores } from '../../../src/adapters/upstash/stores.ts'
import { createApp } from '../../../src/app.ts'
import { parseConfig } from '../../../src/config.ts'
import type { AdmissionAsk } from '../../../src/core/admission/admission.ts'
import type { SettleEvent } from '../../../src/core/admission/gate.ts'
import type { Account } from '../../../src/core/answering/account.ts'
import type { LedgerAsk, LedgerSettlement } from '../../../src/core/money/ledger/words.ts'
import { makeApiKey } from '../../../src/core/keys/api-key.ts'
import { openAccountDirectory } from '../../../src/flows/account-directory.ts'
import { createKeyHasher } from '../../../src/flows/hash-key.ts'
import type { KeyStore, Services } from '../../../src/ports.ts'
import { type RedisBridge, startRedisBridge } from '../../../tools/redis/server.ts'
import { type RunningSimulator, startSimulator } from '../../../tools/simulator/server.ts'
import { callerWith } from '../../support/callers.ts'
import { MODEL } from '../../support/claude-call.ts'
import { noJobs } from '../../support/no-jobs.ts'

const PEPPER = 'p'.repeat(32)
/** A call tells nobody anything. */
const noWebhooks = {} as Services['webhooks']
/** Nor does it name a file. */
const noOwned = {} as Services['owned']
const key = makeApiKey(randomBytes(64))

let redis: RedisBridge
let simulator: RunningSimulator
let objects: MemoryAccountGates
let app: ReturnType<typeof createApp>
/** What was called, in order. */
let calls: string[] = []
/** Ends that the objects heard of. */
let told = 0
let billed = 0
let deferred: Promise<unknown>[] = []
let settling = Promise.resolve()

beforeAll(async () => {
  ;[redis, simulator] = await Promise.all([startRedisBridge(), startSimulator()])
})

afterAll(() => Promise.all([redis.close(), simulator.close()]))

beforeEach(async () => {
  listFetches()
  settling = Promise.resolve()
  app = createApp(await services())
  // The first request of an isolate reads its key and loads the store's script.
  await (await ask()).text()
  await Promise.all(deferred)
  calls = []
  told = 0
  billed = 0
  deferred = []
})

afterEach(() => {
  objects.stop()
  vi.restoreAllMocks()
})

async function services(): Promise<Services> {
  const config = parseConfig({
    ANTHROPIC_API_KEY: 'sk-ant-sim-alpha',
    ANTHROPIC_BASE_URL: simulator.url,
    UPSTASH_REDIS_REST_URL: redis.url,
    UPSTASH_REDIS_REST_TOKEN: redis.token,
    SLUICE_REDIS_TIMEOUT_MS: 5_000,
    ADMIN_TOKEN: 'a'.repeat(32),
    KEY_PEPPER: PEPPER,
  })
  objects = memoryAccountGates(config.gate, { now: Date.now, random: Math.random })
  return {
    config,
    accounts: openAccountDirectory(config, {
      store: {
        listAccounts: () => noted('d1', Promise.resolve({ accounts: [], unreadable: [] })),
        resealAccount: () => Promise.reject(new Error('No call seals a credential')),
      },
      now: Date.now,
      log: () => {},
    }),
    keys: listed(await keyStore()),
    gates: cloudflareAccountGates(namespaceOf(config.accounts)),
    ledgers: cloudflareLedgers(ledgerNamespace(), { log: () => {} }),
    operations: objects,
    ...upstashStores({ config, now: Date.now, log: () => {} }),
    ...noJobs,
    usage: { findUsage: () => Promise.reject(new Error('No call reads usage')) },
    webhooks: noWebhooks,
    owned: noOwned,
    admin: { open: () => Promise.reject(new Error('No call is for the admin plane')) as never },
    upstream: anthropicUpstream(),
    addressOf: () => null,
    now: Date.now,
    random: Math.random,
    log: () => {},
  }
}

const keyStore = async (): Promise<KeyStore> =>
  memoryKeyStore([
    {
      ...callerWith({ requestsPerMinute: 100_000, requestsPerHour: 100_000 }, { keyId: key.id }),
      secretHash: await createKeyHasher(PEPPER)(key.text),
      disabled: false,
      tenantDisabled: false,
      expiresAt: null,
      former: null,
    },
  ])

/** Each of a key store's calls is one query to D1. */
const listed = (store: KeyStore): KeyStore => ({
  findKey: (id) => noted('d1', store.findKey(id)),
  ping: () => noted('d1', store.ping()),
  allowsOrigin: (origin, now) => noted('d1', store.allowsOrigin(origin, now)),
  allowOrigin: (origin, until, now) => noted('d1', store.allowOrigin(origin, until, now)),
  replaceHash: (id, change) => noted('d1', store.replaceHash(id, change)),
})

function noted<T>(name: string, answer: T): T {
  calls.push(name)
  return answer
}

/** Stubs of objects that decide as the real ones do, in this process. */
const namespaceOf = (accounts: readonly Account[]): GateNamespace =>
  ({
    getByName(name: string) {
      const account = accounts.find(({ id }) => id === name)
      if (account === undefined) throw new Error(`No account is called ${name}`)
      return {
        admit: (admission: AdmissionAsk) =>
          noted('object admit', objects.admit(account, admission)),
        async settle(ends: readonly SettleEvent[]) {
          calls.push('object settle')
          told += ends.length
          await settling
          for (const { settlement } of ends) await objects.settle(account, settlement)
        },
        cancel: () => noted('object cancel', Promise.resolve()),
        renew: () => noted('object renew', Promise.resolve(null)),
      }
    },
    // The adapter calls these methods of a stub and no others.
  }) as unknown as GateNamespace

const ledgerNamespace = (): LedgerNamespace => {
  const ledgers = memoryLedgers({ now: Date.now })
  return {
    getByName: (tenant: string) => ({
      reserve: (ask: LedgerAsk) => noted('ledger reserve', ledgers.reserve(ask)),
      async settle(settlements: readonly LedgerSettlement[]) {
        calls.push('ledger settle')
        billed += settlements.length
        for (const settlement of settlements) await ledgers.settle(tenant, settlement)
      },
    }),
    // The adapter calls these methods of a stub, and \`renew\` on streams that last.
  } as unknown as LedgerNamespace
}

function listFetches(): void {
  const real = globalThis.fetch
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (...given) => {
    const [target] = given
    const url = target instanceof Request ? target.url : String(target)
    calls.push(url.startsWith(redis.url) ? 'redis' : 'claude')
    const response = await real(...given)
    if (!url.startsWith(redis.url)) calls.push('claude answered')
    return response
  })
}

const ask = (fields = {}, headers = {}): Promise<Response> =>
  Promise.resolve(
    app.fetch(
      new Request('https://sluice.example/v1/messages', {
        method: 'POST',
        headers: {
          'x-api-key': key.text,
          'anthropic-version': '2023-06-01',
          'content-type': 'application/json',
          ...headers,
        },
        body: JSON.stringify({
          model: MODEL,
          max_tokens: 64,
          messages: [{ role: 'user', content: 'Hi' }],
          ...fields,
        }),
      }),
      {},
      {
        waitUntil: (work: Promise<unknown>) => void deferred.push(work),
        passThroughOnException: () => {},
        props: {},
      },
    ),
  )

const before = (name: string): string[] => calls.slice(0, calls.indexOf(name))
const countOf = (name: string): number => calls.filter((call) => call === name).length

describe.each([
  ['a plain call', false],
  ['a stream', true],
])('on a warm path %s', (_, stream) => {
  it('asks the store once and two objects once before Claude, and both once more after', async () => {
    const answer = await ask({ stream })
    expect(answer.status).toBe(200)
    await answer.text()
    await Promise.all(deferred)
    expect(new Set(before('claude'))).toEqual(new Set(['redis', 'ledger reserve', 'object admit']))
    expect(before('claude')).toHaveLength(3)
    expect(calls.slice(3).toSorted()).toEqual(
      ['claude', 'claude answered', 'object settle', 'ledger settle'].toSorted(),
    )
  })

  it('does not make its caller wait for the second object call', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    settling = promise
    const answer = await ask({ stream })
    expect(answer.status).toBe(200)
    expect(await answer.text()).not.toBe('')
    await vi.waitFor(() => expect(countOf('object settle')).toBe(1), { interval: 1 })
    expect(objects.gateOf(accountOf()).leases.held.size).toBe(1)
    resolve()
    await Promise.all(deferred)
    expect(objects.gateOf(accountOf()).leases.held.size).toBe(0)
  })

  it('costs the same ten times over: nothing is asked again by the way', async () => {
    for (let i = 0; i < 10; i += 1) await (await ask({ stream })).text()
    await Promise.all(deferred)
    expect(countOf('redis')).toBe(10)
    expect(countOf('object admit')).toBe(10)
    expect(countOf('ledger reserve')).toBe(10)
    expect(countOf('d1')).toBe(0)
    // Ends go together where calls come soon after one another.
    expect([told, billed]).toEqual([10, 10])
    expect(countOf('object settle')).toBeLessThanOrEqual(10)
    expect(countOf('ledger settle')).toBeLessThanOrEqual(10)
    expect(calls).toHaveLength(50 + countOf('object settle') + countOf('ledger settle'))
  })
})

const accountOf = () => {
  const [account] = parseConfig({
    ANTHROPIC_API_KEY: 'sk-ant-sim-alpha',
    ADMIN_TOKEN: 'a'.repeat(32),
    KEY_PEPPER: PEPPER,
  }).accounts
  if (account === undefined) throw new Error('There is no account')
  return account
}

it('the store and the object are asked side by side', async () => {
  redis.setFault({ mode: 'delay', delayMs: 100 })
  try {
    const answering = ask()
    await vi.waitFor(() => expect(countOf('redis')).toBe(1), { interval: 1 })
    // The object has been asked although the store has not answered.
    await vi.waitFor(() => expect(countOf('object admit')).toBe(1), { interval: 1, timeout: 80 })
    expect(countOf('claude')).toBe(0)
    expect((await answering).status).toBe(200)
  } finally {
    redis.setFault({ mode: 'ok' })
  }
})

it('a refused key asks nobody', async () => {
  const wrong = `${key.text.slice(0, -1)}${key.text.endsWith('0') ? '1' : '0'}`
  expect((await ask({}, { 'x-api-key': wrong })).status).toBe(401)
  expect(calls).toEqual([])
})

it('a malformed body asks nobody', async () => {
  expect((await ask({ model: 7 })).status).toBe(400)
  expect(calls).toEqual([])
})

describe.each([
  ['a plain call', false],
  ['a stream', true],
])('of %s that asks the response cache', (_, stream) => {
  const cached = { 'sluice-cache-ttl': '60' }
  const question = {
    stream,
    max_tokens: 2_000,
    messages: [{ role: 'user', content: `Cached? ${String(stream)}` }],
  }

  it('a miss costs the store one round trip before Claude, a hit one in all and no object', async () => {
    // Loads the script.
    await (await ask({ max_tokens: 63, stream }, cached)).text()
    await Promise.all(deferred)
    calls = []
    const miss = await ask(question, cached)
    expect(miss.headers.get('cache-status')).toBe('sluice; fwd=miss')
    await miss.text()
    expect(before('claude').filter((call) => call === 'redis')).toHaveLength(1)
    await Promise.all(deferred)
    calls = []
    for (let hits = 0; hits < 10; hits += 1) {
      const hit = await ask(question, cached)
      expect(hit.headers.get('cache-status')).toBe('sluice; hit')
      await hit.text()
    }
    expect(calls).toEqual(Array.from({ length: 10 }, () => 'redis'))
    await Promise.all(deferred)
    // What was saved is told once for all of them: to the store and to the ledger.
    expect(calls.slice(10).toSorted()).toEqual(['ledger settle', 'redis'])
  })

  it('a request that does not ask costs what it did', async () => {
    await (await ask({ stream })).text()
    await Promise.all(deferred)
    expect(countOf('redis')).toBe(1)
  })
})
