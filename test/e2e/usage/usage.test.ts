// `GET /v1/usage` and `GET /admin/v1/usage` beside the simulator's own account of the same calls, to the token and the
// nano-dollar; and the same limits as headers of each answer.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { captures } from '../../support/captures.ts'
import { claudeCall, eventsOf, type CallOptions } from '../../support/claude-call.ts'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { newTag } from '../../support/gateway-simulator.ts'
import { type RawAnswer, send } from '../../support/raw-http.ts'
import { addTenant, type AddedTenant } from '../../support/tenants.ts'
import { billOf, type JournalCall, NOTHING, shownBill, type ShownRow, sumOf } from './books.ts'

const SETTLED_WITHIN_MS = 5_000

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

interface Report {
  readonly data: readonly ShownRow[]
  readonly has_more: boolean
  readonly next_page: string | null
  readonly spent_usd: { readonly today: number; readonly month: number }
  readonly limits: Readonly<Record<string, number | null>>
  readonly in_use: Readonly<Record<string, number>>
  readonly left: Readonly<Record<string, number | null>>
  readonly resets_at: Readonly<Record<string, string | null>>
}

async function get(path: string, credential: string): Promise<Report> {
  const headers = [['authorization', `Bearer ${credential}`]] as const
  const answer = await send(gateway.url, { path, headers })
  expect(answer.status, answer.body.toString()).toBe(200)
  return JSON.parse(answer.body.toString()) as Report
}

const usageOf = (key: string, query = 'group_by=model'): Promise<Report> =>
  get(`/v1/usage?${query}`, key)

const adminUsage = (tenant: string, query: string): Promise<Report> =>
  get(`/admin/v1/usage?tenant=${tenant}&${query}`, gateway.adminToken)

/** Once so many calls have been billed. */
async function settled(key: string, requests: number): Promise<Report> {
  const report = await eventually(
    () => usageOf(key),
    ({ data }) => sumOf(data.map(shownBill)).requests >= requests,
    { withinMs: SETTLED_WITHIN_MS },
  )
  expect(sumOf(report.data.map(shownBill)).requests).toBe(requests)
  return report
}

const cached = (ttl: '5m' | '1h', text: string) => [
  {
    type: 'text',
    text,
    cache_control: ttl === '1h' ? { type: 'ephemeral', ttl } : { type: 'ephemeral' },
  },
]

describe('calls of every kind at once', () => {
  const SONNET = 'claude-sonnet-5-5'
  const OPUS = 'claude-opus-5'
  const HAIKU = 'claude-haiku-5-5'
  const tag = newTag()
  let tenant: AddedTenant
  let calls: readonly JournalCall[]

  const ask = async (fields: object, options: Partial<CallOptions> = {}): Promise<RawAnswer> => {
    const call = claudeCall({ key: tenant.key, tag, fields: { ...fields }, ...options })
    const answer = await send(gateway.url, call)
    expect(answer.status, answer.body.toString()).toBe(200)
    return answer
  }
  const asUser = (user: string) => ({ headers: [['sluice-user', user]] as const })

  beforeAll(async () => {
    gateway.simulator.sim.usage.clear()
    tenant = await addTenant(gateway.dir)
    const system = {
      short: cached('5m', 'minutes '.repeat(1_500)),
      long: cached('1h', 'an hour '.repeat(1_500)),
      both: [...cached('1h', 'first '.repeat(2_000)), ...cached('5m', 'then '.repeat(2_000))],
    }
    const openAi = (stream: boolean) =>
      ask(
        { model: OPUS, stream, ...(stream ? { stream_options: { include_usage: true } } : {}) },
        { path: '/v1/chat/completions' },
      )
    const twice = async (fields: object, options = {}): Promise<void> => {
      // Claude reads a prefix once the answer that wrote it has begun.
      await ask(fields, options)
      await Promise.all([ask(fields, options), ask({ ...fields, stream: true }, options)])
    }
    await Promise.all([
      ...Array.from({ length: 20 }, (_, at) =>
        ask({ model: [SONNET, OPUS, HAIKU][at % 3], stream: at % 2 === 0 }, asUser(`u${at % 4}`)),
      ),
      twice({ model: SONNET, system: system.short }),
      twice({ model: SONNET, system: system.long }, asUser('ann')),
      twice({ model: OPUS, system: system.both }),
      // Below and above 100,000 tokens of prompt, and above it because of what is cached.
      ask({ model: HAIKU }, { prompt: 'short '.repeat(60_000) }),
      ask({ model: HAIKU, stream: true }, { prompt: 'long '.repeat(100_000) }),
      twice({ model: HAIKU, system: cached('1h', 'cached '.repeat(70_000)) }),
      openAi(false),
      openAi(true),
      ask(
        { model: 'claude-haiku-4-5', stream: true },
        { prompt: '[sim:tokens=500][sim:thinking]' },
      ),
    ])
    const entries = await gateway.simulator.journal.wait(
      { tag, outcome: 'completed' },
      { count: 37 },
    )
    calls = entries.map(({ model, tokens, usage }) => ({ model, tokens, usage }))
  })

  it('are billed what Claude bills: each model to the token and the nano-dollar', async () => {
    const { data, spent_usd: spent } = await settled(tenant.key, calls.length)
    expect(data.map(({ model }) => model)).toEqual(['claude-haiku-4-5', HAIKU, OPUS, SONNET])
    for (const row of data) {
      const own = calls.filter(({ model }) => model === row.model)
      expect([row.model, shownBill(row)]).toEqual([row.model, sumOf(own.map(billOf))])
    }
    const whole = sumOf(calls.map(billOf))
    expect(sumOf(data.map(shownBill))).toEqual(whole)
    expect(whole.cache_write_tokens).toBeGreaterThan(100_000)
    expect(whole.cache_read_tokens).toBeGreaterThan(100_000)
    for (const usd of [spent.today, spent.month]) {
      expect(Math.round(usd * 1e9)).toBe(whole.cost_nano_usd)
    }
  })

  it('are what the simulator has in its own books', async () => {
    const { data } = await settled(tenant.key, calls.length)
    const answer = await fetch(`${gateway.simulatorUrl}/__sim/usage`)
    const books = (await answer.json()) as { data: Readonly<Record<string, number | string>>[] }
    const shown = data.map((row) => [
      row.model,
      row.requests,
      row.input_tokens,
      row.output_tokens,
      row.cache_write_tokens,
      row.cache_read_tokens,
    ])
    const booked = books.data.map((row) => [
      row['model'],
      row['requests'],
      row['input_tokens'],
      row['output_tokens'],
      row['cache_creation_input_tokens'],
      row['cache_read_input_tokens'],
    ])
    expect(shown).toEqual(booked.toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)))
  })

  it.each(['day', 'model', 'key', 'user', 'day,model,key,user', 'user,model'])(
    'sum to the same by %s, and the operator sees the same rows',
    async (groupBy) => {
      await settled(tenant.key, calls.length)
      const { data } = await usageOf(tenant.key, `group_by=${groupBy}`)
      expect(sumOf(data.map(shownBill))).toEqual(sumOf(calls.map(billOf)))
      expect((await adminUsage(tenant.tenant, `group_by=${groupBy}`)).data).toEqual(data)
      expect(Object.keys(data[0] ?? {}).slice(0, -7)).toEqual(['tenant', ...groupBy.split(',')])
    },
  )

  it('come in pages that hold each row once', async () => {
    const { data: whole } = await usageOf(tenant.key, 'group_by=user,model')
    const seen: ShownRow[] = []
    let page = ''
    for (let more = true; more;) {
      const report = await usageOf(tenant.key, `group_by=user,model&limit=3${page}`)
      seen.push(...report.data)
      more = report.has_more
      page = `&page=${report.next_page}`
    }
    expect(whole.length).toBeGreaterThan(6)
    expect(seen).toEqual(whole)
  })

  it('are of today alone', async () => {
    const today = new Date().toISOString().slice(0, 10)
    const { data } = await usageOf(tenant.key, `group_by=day&from=2026-01-01`)
    expect(data.map(({ day }) => day)).toEqual([today])
    const before = await usageOf(tenant.key, 'group_by=day&from=2025-01-01&to=2025-12-31')
    expect(before.data).toEqual([])
    expect(Math.round(before.spent_usd.today * 1e9)).toBe(sumOf(calls.map(billOf)).cost_nano_usd)
  })
})

describe.skipIf(captures.length === 0)('recorded streams (skipped without the shared data)', () => {
  it('are billed the tokens that their own events tell', async () => {
    const { key } = await addTenant(gateway.dir)
    let told = NOTHING
    for (const { name, bytes } of captures) {
      gateway.simulator.sim.canned.set(name, Buffer.from(bytes))
      const fault = `canned=${name};type=text/event-stream`
      await send(gateway.url, claudeCall({ key, fault, fields: { stream: true } }))
      const bill = toldBy(Buffer.from(bytes).toString())
      told = sumOf([told, { ...NOTHING, requests: 1, ...bill }])
    }
    const { data } = await settled(key, captures.length)
    const { cost_nano_usd: cost, saved_nano_usd: _, ...shown } = sumOf(data.map(shownBill))
    const { cost_nano_usd: _none, saved_nano_usd: _nothing, ...expected } = told
    expect(shown).toEqual(expected)
    expect(cost).toBeGreaterThan(0)
  })

  interface Told {
    readonly input_tokens?: number
    readonly output_tokens?: number
    readonly cache_creation_input_tokens?: number
    readonly cache_read_input_tokens?: number
  }

  /** The last word on each count. */
  function toldBy(stream: string) {
    const last: Record<string, number> = {}
    for (const { data } of eventsOf(stream.replaceAll('\r\n', '\n'))) {
      const event = JSON.parse(data) as { usage?: Told; message?: { usage?: Told } }
      for (const [name, value] of Object.entries(event.message?.usage ?? event.usage ?? {})) {
        if (typeof value === 'number') last[name] = value
      }
    }
    return {
      input_tokens: last['input_tokens'] ?? 0,
      output_tokens: last['output_tokens'] ?? 0,
      cache_write_tokens: last['cache_creation_input_tokens'] ?? 0,
      cache_read_tokens: last['cache_read_input_tokens'] ?? 0,
    }
  }
})

describe('what a tenant has left', () => {
  const OVERRIDES = {
    max_concurrent: 4,
    input_tokens_per_minute: 50_000,
    output_tokens_per_minute: 10_000,
    budget_usd_per_day: 0.01,
    budget_usd_per_month: 1,
  }
  const PREFIX = 'anthropic-ratelimit-'
  const told = ({ headers }: RawAnswer): Record<string, string> =>
    Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) =>
        name.startsWith(PREFIX) ? [[name.slice(PREFIX.length), String(value)]] : [],
      ),
    )

  it('is told by the report, and by the headers of each answer in the form of Claude', async () => {
    const { key } = await addTenant(gateway.dir, { tier: 'premium', overrides: OVERRIDES })
    const first = await send(gateway.url, claudeCall({ key, prompt: 'Hello '.repeat(200) }))
    const report = await settled(key, 1)
    const [row] = report.data
    expect(report.limits).toMatchObject(OVERRIDES)
    expect(report.in_use).toEqual({
      concurrent: 0,
      input_tokens_per_minute: row?.input_tokens,
      output_tokens_per_minute: row?.output_tokens,
    })
    expect(report.left).toEqual({
      concurrent: 4,
      input_tokens_per_minute: 50_000 - (row?.input_tokens ?? 0),
      output_tokens_per_minute: 10_000 - (row?.output_tokens ?? 0),
      budget_usd_per_day: Math.round(1e7 - (row?.cost_usd ?? 0) * 1e9) / 1e9,
      budget_usd_per_month: Math.round(1e9 - (row?.cost_usd ?? 0) * 1e9) / 1e9,
    })
    expect(report.resets_at['budget_usd_per_day']).toMatch(/T00:00:00\.000Z$/)
    expect(report.resets_at['budget_usd_per_month']).toMatch(/-01T00:00:00\.000Z$/)

    const before = told(first)
    expect(before).toMatchObject({
      'requests-limit': '100',
      'input-tokens-limit': '50000',
      'output-tokens-limit': '10000',
      'tokens-limit': '60000',
      'unified-status': 'allowed',
      'unified-5h-utilization': '0',
      'unified-7d-utilization': '0',
    })
    for (const name of ['requests', 'input-tokens', 'output-tokens', 'tokens']) {
      expect(before[`${name}-reset`]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
      expect(Date.parse(before[`${name}-reset`] ?? '') - Date.now()).toBeLessThan(62_000)
    }
    const second = await send(gateway.url, claudeCall({ key, fields: { stream: true } }))
    const after = told(second)
    const used = Math.floor(((row?.cost_usd ?? 0) / 0.01) * 1e4) / 1e4
    expect(Number(after['unified-5h-utilization'])).toBeCloseTo(used, 3)
    expect(after['unified-5h-reset']).toBe(String(secondsOf(report, 'budget_usd_per_day')))
    expect(after['unified-7d-reset']).toBe(String(secondsOf(report, 'budget_usd_per_month')))
    // What is left, less what this call may use itself.
    const left = report.left['input_tokens_per_minute'] ?? 0
    expect(Number(after['input-tokens-remaining'])).toBeLessThan(left)
    expect(Number(after['input-tokens-remaining'])).toBeGreaterThan(left - 100)
    expect(Number(after['tokens-remaining'])).toBe(
      Number(after['input-tokens-remaining']) + Number(after['output-tokens-remaining']),
    )
  })

  const secondsOf = ({ resets_at: resets }: Report, name: string): number =>
    Date.parse(resets[name] ?? '') / 1000

  it.each([
    ['output tokens', { output_tokens_per_minute: 1 }, 429, { 'output-tokens-remaining': '0' }],
    ['input tokens', { input_tokens_per_minute: 1 }, 429, { 'input-tokens-remaining': '0' }],
    [
      'money',
      { budget_usd_per_day: 0.000_001 },
      402,
      { 'unified-status': 'rejected', 'unified-5h-utilization': '1' },
    ],
  ])('of %s is nothing in the headers of a refusal', async (_, overrides, status, headers) => {
    const { key } = await addTenant(gateway.dir, { overrides })
    expect((await send(gateway.url, claudeCall({ key }))).status).toBe(200)
    await settled(key, 1)
    const refused = await send(gateway.url, claudeCall({ key }))
    expect(refused.status).toBe(status)
    expect(told(refused)).toMatchObject(headers)
  })

  it('is not told to a page: a browser token sees request windows alone', async () => {
    const { key } = await addTenant(gateway.dir, { tier: 'premium', overrides: OVERRIDES })
    const origin = 'https://app.example'
    const made = await send(gateway.url, {
      method: 'POST',
      path: '/v1/tokens',
      headers: [['x-api-key', key]],
      body: JSON.stringify({ ttl_seconds: 60, origin }),
    })
    const { token } = JSON.parse(made.body.toString()) as { token: string }
    const headers = [['origin', origin]] as const
    const answer = await send(gateway.url, claudeCall({ key: token, headers }))
    const names = ['requests-limit', 'requests-remaining', 'requests-reset']
    expect([answer.status, Object.keys(told(answer)).toSorted()]).toEqual([200, names])
    const report = await send(gateway.url, {
      path: '/v1/usage',
      headers: [['x-api-key', token], ...headers],
    })
    expect(JSON.parse(report.body.toString())).toMatchObject({
      in_use: null,
      left: null,
      resets_at: null,
    })
  })

  it('is not told where nothing is limited, nor anything of the account', async () => {
    const overrides = { requests_per_hour: null, max_concurrent: null }
    const { key } = await addTenant(gateway.dir, { overrides })
    const answer = await send(gateway.url, claudeCall({ key }))
    expect([answer.status, told(answer)]).toEqual([200, {}])
  })
})
