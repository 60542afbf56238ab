// `GET /v1/usage` and `GET /admin/v1/usage` beside the simulator's own account of the same calls, to the token and the
// nano-dollar.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { captures } from '../../support/captures.ts'
import { claudeCall, eventsOf, type CallOptions } from '../../support/claude-call.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { newTag } from '../../support/gateway-simulator.ts'
import { type RawAnswer, send } from '../../support/raw-http.ts'
import { addTenant, type AddedTenant } from '../../support/tenants.ts'
import {
  billOf,
  type JournalCall,
  type JournalUsage,
  NOTHING,
  shownBill,
  type ShownRow,
  sumOf,
} from './books.ts'
import { getReport, readUsage, type Report, settledUsage } from './reading.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

interface BatchAnswer {
  readonly model: string
  readonly usage: JournalUsage & { readonly output_tokens: number }
}

const usageOf = (key: string, query = 'group_by=model'): Promise<Report> =>
  readUsage(gateway.url, key, query)

const settled = (key: string, requests: number): Promise<Report> =>
  settledUsage(gateway.url, key, requests)

const adminUsage = (tenant: string, query: string): Promise<Report> =>
  getReport(gateway.url, `/admin/v1/usage?tenant=${tenant}&${query}`, gateway.adminToken)

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

it('a batch is billed once at half price, by what Claude says of each of its answers', async () => {
  gateway.simulator.sim.usage.clear()
  const { key } = await addTenant(gateway.dir)
  const params = (model: string) => ({
    model,
    max_tokens: 200,
    system: cached('1h', `${model} `.repeat(3_000)),
    messages: [{ role: 'user', content: 'Hello' }],
  })
  const models = ['claude-opus-5', 'claude-haiku-4-5', 'claude-opus-5', 'claude-sonnet-5-5']
  const requests = models.map((model, at) => ({ custom_id: `c${at}`, params: params(model) }))
  const path = '/v1/messages/batches'
  const made = await send(
    gateway.url,
    claudeCall({ key, path, body: JSON.stringify({ requests }) }),
  )
  const { id } = JSON.parse(made.body.toString()) as { id: string }
  gateway.simulator.sim.batches.endNow(id)
  const results = await send(gateway.url, {
    path: `${path}/${id}/results`,
    headers: [
      ['x-api-key', key],
      ['anthropic-version', '2023-06-01'],
    ],
  })
  const bills = results.body
    .toString()
    .trim()
    .split('\n')
    .map((line) => {
      const { result } = JSON.parse(line) as { result: { message: BatchAnswer } }
      const { model, usage } = result.message
      const bill = billOf({ model, usage, tokens: usage.output_tokens })
      return {
        ...bill,
        cost_nano_usd: bill.cost_nano_usd / 2,
        saved_nano_usd: bill.saved_nano_usd / 2,
      }
    })
  const { data } = await settled(key, models.length)
  expect(sumOf(data.map(shownBill))).toEqual(sumOf(bills))
  const { data: books } = gateway.simulator.sim.usage.view() as {
    data: Readonly<Record<string, unknown>>[]
  }
  expect(books.map((row) => row['service_tier'])).toEqual(books.map(() => 'batch'))
  expect(
    data.map((row) => [row.model, row.requests, row.output_tokens, row.cache_write_tokens]),
  ).toEqual(
    books
      .map((row) => [
        row['model'],
        row['requests'],
        row['output_tokens'],
        row['cache_creation_input_tokens'],
      ])
      .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
  )
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
