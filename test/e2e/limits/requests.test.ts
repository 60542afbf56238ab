// Request limits: exact under concurrency, told in headers, unspent by refusals; and Redis failing in every way.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accountList } from '../../support/accounts.ts'
import { claudeCall, errorOf } from '../../support/claude-call.ts'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { open, readAll, type RawAnswer, send } from '../../support/raw-http.ts'
import { addTenant } from '../../support/tenants.ts'

// Twice the default: this process is Redis, Claude and thirty callers at once.
const REDIS_TIMEOUT_MS = 500
/** For what a request takes beside the waiting, on a busy machine. */
const MARGIN_MS = 250
/** A store that failed is tried again within so long. */
const RECOVERY_MS = 5_000
const FREE_PER_MINUTE = 10

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startTestGateway({
    settings: {
      SLUICE_REDIS_TIMEOUT_MS: REDIS_TIMEOUT_MS,
      ANTHROPIC_ACCOUNTS: accountList(
        { id: 'wide', models: ['claude-*'], max_concurrent: 100 },
        { id: 'narrow', models: ['narrow'], max_concurrent: 1 },
      ),
    },
  })
  gateway.simulator.sim.canned.set('ok', Buffer.from('{"type":"message"}'))
  // The first call of an isolate compiles, connects and loads the script.
  for (let i = 0; i < 3; i += 1) await ask(gateway.keys.premium)
  gateway.simulator.sim.canned.set('busy', Buffer.from('event: ping\ndata: {"type":"ping"}\n\n'))
})

afterAll(() => gateway.stop())

const ask = (key: string, origin = gateway.url, model = 'claude-haiku-5-5'): Promise<RawAnswer> =>
  send(origin, claudeCall({ key, fields: { model }, fault: 'canned=ok;type=application/json' }))

const many = (count: number, key: string, origin?: string): Promise<RawAnswer[]> =>
  Promise.all(Array.from({ length: count }, () => ask(key, origin)))

const countOf = (answers: readonly RawAnswer[], status: number): number =>
  answers.filter((answer) => answer.status === status).length

/** Its request windows are what is tested here, so nothing else holds it back. */
const ONLY_REQUESTS = { max_concurrent: null, output_tokens_per_minute: null }

const freeKey = async (settings = {}): Promise<string> =>
  (await addTenant(gateway.dir, { tier: 'free', settings, overrides: ONLY_REQUESTS })).key

interface Remaining {
  readonly name: string
  readonly remaining: number
}

async function remainingOf(key: string): Promise<Record<string, number>> {
  const answer = await send(gateway.url, { path: '/v1/usage', headers: [['x-api-key', key]] })
  const { remaining } = JSON.parse(answer.body.toString()) as { remaining: Remaining[] }
  return Object.fromEntries(remaining.map((window) => [window.name, window.remaining]))
}

describe('of 30 requests at once in the tier of 10 a minute', () => {
  it('exactly 10 are let in, and the others are told when to come back', async () => {
    const key = await freeKey()
    const answers = await many(30, key)
    expect(countOf(answers, 200)).toBe(FREE_PER_MINUTE)
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused).toHaveLength(30 - FREE_PER_MINUTE)
    for (const answer of refused) {
      expect(answer.headers['sluice-reason']).toBe('tenant_requests')
      expect(answer.headers['x-should-retry']).toBe('true')
      expect(errorOf(answer).error.type).toBe('rate_limit_error')
      const retryAfter = Number(answer.headers['retry-after'])
      expect(retryAfter).toBeGreaterThan(50)
      expect(retryAfter).toBeLessThanOrEqual(60)
      expect(answer.headers['ratelimit-policy']).toBe('"minute";q=10;w=60, "hour";q=1000;w=3600')
      expect(answer.headers['ratelimit']).toMatch(/^"minute";r=0;t=\d+, "hour";r=99\d;t=\d+$/)
    }
  })

  it('the refused ones use nothing up', async () => {
    const key = await freeKey()
    await many(30, key)
    expect(await remainingOf(key)).toEqual({ minute: 0, hour: 1_000 - FREE_PER_MINUTE })
  })

  it('each that is let in is told what is left', async () => {
    const key = await freeKey()
    for (let left = FREE_PER_MINUTE - 1; left >= 7; left -= 1) {
      const { headers } = await ask(key)
      expect(headers['ratelimit']).toMatch(new RegExp(`^"minute";r=${left};`))
    }
  })
})

it('a request that an account refuses is given back to its tenant', async () => {
  const key = await freeKey()
  const { response } = await open(
    gateway.url,
    claudeCall({
      key: gateway.keys.enterprise,
      fields: { model: 'narrow', stream: true },
      fault: 'canned=busy,stall;after=1;ms=400',
    }),
  )
  const refused = await Promise.all(
    Array.from({ length: 5 }, () => ask(key, gateway.url, 'narrow')),
  )
  expect(countOf(refused, 503)).toBe(5)
  await readAll(response)
  const left = await eventually(
    () => remainingOf(key),
    ({ minute }) => minute === 10,
    {
      withinMs: 1_000,
    },
  )
  expect(left).toEqual({ minute: FREE_PER_MINUTE, hour: 1_000 })
})

describe.each([
  ['slow', { mode: 'delay', delayMs: 2_000 }],
  ['silent', { mode: 'hang' }],
  ['refusing connections', { mode: 'refuse' }],
  ['failing', { mode: 'error500' }],
  ['talking nonsense', { mode: 'garbage' }],
] as const)('while Redis is %s', (_, fault) => {
  it('requests are answered in bounded time, counted by the isolate, and by Redis again after it', async () => {
    const key = await freeKey()
    gateway.redis.setFault(fault)
    try {
      const answers = await many(30, key)
      expect(countOf(answers, 200)).toBe(FREE_PER_MINUTE)
      expect(countOf(answers, 429)).toBe(30 - FREE_PER_MINUTE)
      for (const { tookMs } of answers) expect(tookMs).toBeLessThan(REDIS_TIMEOUT_MS + MARGIN_MS)
      // A store that is known to be down is not waited for at every request.
      const known = await many(5, await freeKey())
      expect(countOf(known, 200)).toBe(5)
      for (const { tookMs } of known) expect(tookMs).toBeLessThan(REDIS_TIMEOUT_MS + MARGIN_MS)
    } finally {
      gateway.redis.setFault({ mode: 'ok' })
    }
    const after = await freeKey()
    const counted = await eventually(
      async () => {
        await ask(after)
        return (await remainingOf(after))['minute']
      },
      (minute) => minute !== undefined && minute < FREE_PER_MINUTE,
      { withinMs: RECOVERY_MS, everyMs: 100 },
    )
    expect(counted).toBeLessThan(FREE_PER_MINUTE)
  })
})

describe('what a tenant chose for the time when Redis is down', () => {
  it.each([
    ['open', 15, 0],
    ['closed', 0, 15],
  ] as const)('%s: %i are let in and %i refused', async (limitsFail, admitted, refused) => {
    const key = await freeKey({ limits_fail: limitsFail })
    gateway.redis.setFault({ mode: 'refuse' })
    try {
      const answers = await many(15, key)
      expect(countOf(answers, 200)).toBe(admitted)
      expect(countOf(answers, 429)).toBe(refused)
    } finally {
      gateway.redis.setFault({ mode: 'ok' })
    }
  })
})

it('a Redis that refuses our token is no reason not to answer, and is seen as not ready', async () => {
  const misconfigured = await startTestGateway({
    settings: { UPSTASH_REDIS_REST_TOKEN: 'not-the-token' },
  })
  try {
    misconfigured.simulator.sim.canned.set('ok', Buffer.from('{"type":"message"}'))
    const { key } = await addTenant(misconfigured.dir, { tier: 'free', overrides: ONLY_REQUESTS })
    const answers = await many(30, key, misconfigured.url)
    expect(countOf(answers, 200)).toBe(FREE_PER_MINUTE)
    const ready = await send(misconfigured.url, { path: '/ready' })
    expect(ready.status).toBe(503)
    expect(JSON.parse(ready.body.toString())).toMatchObject({ ready: false })
  } finally {
    await misconfigured.stop()
  }
})
