// What a tenant may spend, over HTTP: the end of a budget with fifty calls at once, the books beside the simulator's own,
// concurrency, tokens a minute, several limits that refuse at once, and browser tokens.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accountList } from '../../support/accounts.ts'
import { claudeCall, errorOf } from '../../support/claude-call.ts'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { type RawAnswer, send } from '../../support/raw-http.ts'
import { addTenant } from '../../support/tenants.ts'
import { booksOf, costOf, type MadeCall, makeCall, type MoneyCall, usedOf } from './books.ts'

/** An answer that was cut is estimated: so many tokens, and such a part of them, may be wrong or were on their way. */
const ESTIMATE_SLACK_TOKENS = 60
const ESTIMATE_SLACK_RATIO = 0.1
const SETTLED_WITHIN_MS = 5_000

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startTestGateway({
    settings: { ANTHROPIC_ACCOUNTS: accountList({ id: 'wide', max_concurrent: 300 }) },
  })
})

afterAll(() => gateway.stop())

const newKey = async (overrides: Record<string, unknown>): Promise<string> =>
  (await addTenant(gateway.dir, { tier: 'enterprise', overrides })).key

const entryOf = async ({ tag }: MadeCall) => (await gateway.simulator.journal.wait({ tag }))[0]

/** Fifty calls whose costs differ: answers at once and streams, some left, some failing, some very long. */
const mixture = (): MoneyCall[] =>
  Array.from({ length: 50 }, (_, index): MoneyCall => {
    const stream = index % 2 === 0
    if (index % 10 === 4) return { stream: true, tokens: 400, leaves: true }
    if (index % 10 === 8) return { stream: true, tokens: 800, maxTokens: 4_000 }
    if (index % 10 === 3) return { stream, tokens: 50, fault: '400' }
    if (index % 10 === 6) return { stream: true, tokens: 100, fault: 'reset;after=6' }
    return { stream, tokens: 60 + index, ...(stream ? {} : { fault: 'slow=80' }) }
  })

describe('fifty calls at once at the end of a budget', () => {
  it('pass it by at most the cost of one, and each is billed for what it used', async () => {
    const budget = 25_000_000
    const key = await newKey({ budget_usd_per_day: budget / 1e9, requests_per_hour: null })
    const calls = await Promise.all(mixture().map((call) => makeCall(gateway, key, call)))
    const reached = calls.filter(({ status }) => status === 200)
    const books = await eventually(
      () => booksOf(gateway, key),
      ({ rows }) => rows.length >= reached.length,
      { withinMs: SETTLED_WITHIN_MS },
    )
    // Nobody was told to stay away but for money that is gone.
    const refused = calls.filter(({ status }) => status !== 200 && status !== 400)
    expect(refused.map(({ reason }) => reason)).toEqual(refused.map(() => 'budget_exhausted'))
    expect(refused.length).toBeGreaterThan(5)
    expect(books.spentNanoUsd).toBeGreaterThanOrEqual(budget)

    let dearest = 0
    for (const call of reached) {
      const entry = await entryOf(call)
      const row = books.rows.find(({ user }) => user === call.user)
      if (entry === undefined || row === undefined) throw new Error(`${call.user} is in no book`)
      const { input, output } = usedOf(entry)
      expect(row.requests).toBe(1)
      expect(row.input_tokens).toBe(input)
      if (call.text.includes('event: error') || call.leaves === true) {
        const slack = ESTIMATE_SLACK_TOKENS + output * ESTIMATE_SLACK_RATIO
        expect(Math.abs(row.output_tokens - output)).toBeLessThanOrEqual(slack)
      } else expect(row.output_tokens).toBe(output)
      const cost = costOf(row.input_tokens, row.output_tokens)
      expect(Math.round(row.cost_usd * 1e9)).toBe(cost)
      dearest = Math.max(dearest, cost)
    }
    const sum = books.rows.reduce((total, row) => total + Math.round(row.cost_usd * 1e9), 0)
    expect(sum).toBe(books.spentNanoUsd)
    expect(books.spentNanoUsd).toBeLessThanOrEqual(budget + dearest)
    expect(books.rows).toHaveLength(reached.length)
  })

  it('a stream that crosses it is cut, said so, and nobody comes in after it', async () => {
    const key = await newKey({ budget_usd_per_day: 0.002 })
    const cut = await makeCall(gateway, key, { stream: true, tokens: 2_000 })
    const [, data] = /event: error\ndata: (.*)\n\n$/.exec(cut.text) ?? []
    expect(JSON.parse(data ?? '{}')).toMatchObject({
      error: {
        type: 'billing_error',
        details: { limits: [{ reason: 'budget_exhausted', limit: '$0.002 a day' }] },
      },
    })
    const entry = await entryOf(cut)
    expect(entry).toMatchObject({ outcome: 'aborted' })
    expect(entry?.tokens).toBeLessThan(400)
    const after = await eventually(
      () => makeCall(gateway, key, { stream: false, tokens: 5 }),
      ({ status }) => status === 402,
      { withinMs: SETTLED_WITHIN_MS },
    )
    expect(after).toMatchObject({ status: 402, reason: 'budget_exhausted' })
  })

  it('with money left nobody is held back by what others might spend', async () => {
    const key = await newKey({ budget_usd_per_day: 0.5 })
    // Each of them might cost more than all that there is.
    const calls = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        makeCall(gateway, key, {
          stream: index % 2 === 0,
          tokens: 40,
          maxTokens: 64_000,
          ...(index % 2 === 0 ? {} : { fault: 'slow=100' }),
        }),
      ),
    )
    expect(calls.map(({ status }) => status)).toEqual(calls.map(() => 200))
    expect(calls.filter(({ text }) => text.includes('event: error'))).toEqual([])
  })
})

describe('two hundred calls at once of a tenant that may have twenty', () => {
  it('never are more, and the others are refused with a time', async () => {
    const limit = 20
    const key = await newKey({ max_concurrent: limit })
    await fetch(`${gateway.simulatorUrl}/__sim/gauge`, { method: 'DELETE' })
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => send(gateway.url, claudeCall({ key, fault: 'slow=700' }))),
    )
    const gauge = (await (await fetch(`${gateway.simulatorUrl}/__sim/gauge`)).json()) as Gauge
    expect(gauge.orgs.wide.max_in_flight).toBe(limit)
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused).toHaveLength(200 - limit)
    for (const answer of refused) {
      expect(answer.headers).toMatchObject({
        'sluice-reason': 'tenant_concurrency',
        'x-should-retry': 'true',
      })
      expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1)
      expect(Number(answer.headers['retry-after'])).toBeLessThanOrEqual(10)
    }
    // They used nothing up.
    const again = await Promise.all(
      Array.from({ length: limit }, () => send(gateway.url, claudeCall({ key }))),
    )
    expect(again.map(({ status }) => status)).toEqual(again.map(() => 200))
  })
})

interface Gauge {
  readonly orgs: { readonly wide: { readonly max_in_flight: number } }
}

const limitsIn = (answer: RawAnswer): { reason: string; retry_at: string | null }[] =>
  (errorOf(answer).error as unknown as { details: { limits: never } }).details.limits

describe('tokens a minute', () => {
  it.each([
    ['input', 1_000, { tokens: 1, prompt: 'x'.repeat(3_600) }],
    ['output', 400, { tokens: 390, prompt: 'x' }],
  ])('of %s refuse with the time at which there is room', async (name, limit, call) => {
    const key = await newKey({ [`${name}_tokens_per_minute`]: limit })
    const ask = () =>
      send(
        gateway.url,
        claudeCall({
          key,
          prompt: `${call.prompt} [sim:tokens=${call.tokens}]`,
          fields: { max_tokens: 390 },
        }),
      )
    expect((await ask()).status).toBe(200)
    const refused = await eventually(ask, ({ status }) => status === 429, { withinMs: 2_000 })
    expect(refused.status).toBe(429)
    expect(refused.headers['sluice-reason']).toBe(`tenant_${name}_tokens`)
    const seconds = Number(refused.headers['retry-after'])
    expect(seconds).toBeGreaterThan(55)
    expect(seconds).toBeLessThanOrEqual(62)
  })
})

it('several limits that refuse are all named, each with its time', async () => {
  const key = await newKey({
    requests_per_minute: 1,
    input_tokens_per_minute: 10,
    output_tokens_per_minute: 10,
    budget_usd_per_day: 0.0001,
    budget_usd_per_month: 0.0001,
  })
  const ask = () =>
    send(gateway.url, claudeCall({ key, prompt: `${'long '.repeat(20)}[sim:tokens=50]` }))
  expect((await ask()).status).toBe(200)
  const refused = await eventually(ask, ({ status }) => status === 402, { withinMs: 2_000 })
  expect(refused.headers['sluice-reason']).toBe('budget_exhausted')
  expect(refused.headers['retry-after']).toBeUndefined()
  const limits = limitsIn(refused)
  expect(limits.map(({ reason }) => reason)).toEqual([
    'tenant_requests',
    'tenant_input_tokens',
    'tenant_output_tokens',
    'budget_exhausted',
    'budget_exhausted',
  ])
  for (const { retry_at: retryAt } of limits) {
    expect(Date.parse(retryAt ?? '')).toBeGreaterThan(Date.now())
  }
})

describe('a browser token, fifty calls at once', () => {
  const ORIGIN = 'https://app.example'
  const makeToken = async (fields: Record<string, unknown>) => {
    const key = await newKey({})
    const answer = await send(gateway.url, {
      path: '/v1/tokens',
      headers: [
        ['x-api-key', key],
        ['content-type', 'application/json'],
      ],
      body: JSON.stringify({ ttl_seconds: 60, origin: ORIGIN, ...fields }),
    })
    expect(answer.status).toBe(200)
    return { key, token: (JSON.parse(answer.body.toString()) as { token: string }).token }
  }
  const fifty = (token: string): Promise<RawAnswer[]> =>
    Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        send(
          gateway.url,
          claudeCall({
            key: token,
            prompt: '[sim:tokens=50]',
            fields: { stream: index % 2 === 0, max_tokens: 50 },
            headers: [['origin', ORIGIN]],
          }),
        ),
      ),
    )

  it('makes exactly as many requests as it may', async () => {
    const { token } = await makeToken({ max_requests: 10 })
    const answers = await fifty(token)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(10)
    const refused = answers.filter(({ status }) => status !== 200)
    expect(new Set(refused.map(({ headers }) => headers['sluice-reason']))).toEqual(
      new Set(['token_expired']),
    )
  })

  it('passes its dollars by at most the cost of one call', async () => {
    const { key, token } = await makeToken({ budget_usd: 0.005 })
    const answers = await fifty(token)
    const served = answers.filter(({ status }) => status === 200)
    const { spentNanoUsd } = await eventually(
      () => booksOf(gateway, key),
      ({ rows }) => (rows[0]?.requests ?? 0) >= served.length,
      { withinMs: SETTLED_WITHIN_MS },
    )
    expect(spentNanoUsd).toBeGreaterThanOrEqual(5_000_000)
    expect(spentNanoUsd).toBeLessThanOrEqual(5_000_000 + costOf(20, 50))
    expect(answers.filter(({ status }) => status === 402)).toHaveLength(50 - served.length)
  })
})
