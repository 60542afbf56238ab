// What was used is what is billed: the gateway's usage beside the simulator's own books, call by call and in sum.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claudeCall } from '../../support/claude-call.ts'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { newTag } from '../../support/gateway-simulator.ts'
import { open, readAll, readUntil, send, start } from '../../support/raw-http.ts'
import { addTenant } from '../../support/tenants.ts'

/** Usage is kept in groups and may take this long to be seen. */
const SETTLED_WITHIN_MS = 2_000
/** An answer that was cut is estimated: so many tokens and such a part of them may be wrong. */
const ESTIMATE_SLACK_TOKENS = 40
const ESTIMATE_SLACK_RATIO = 0.1

/** Dollars a million tokens, from Claude's price list of November 2026: input, output, writes, read. */
const PRICES = {
  'claude-sonnet-5-5': { input: 2, output: 10, write5m: 2.5, write1h: 4, read: 0.1 },
  'claude-opus-5': { input: 5, output: 25, write5m: 6.25, write1h: 10, read: 0.5 },
  'claude-haiku-5-5': { input: 0.1, output: 0.5, write5m: 0.125, write1h: 0.2, read: 0.01 },
} as const
type PricedModel = keyof typeof PRICES

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startTestGateway()
})

afterAll(() => gateway.stop())

interface UsageRow {
  readonly model: string
  readonly user?: string
  readonly requests: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cache_write_tokens: number
  readonly cache_read_tokens: number
  readonly cost_usd: number
  readonly saved_usd: number
}

interface UsageReport {
  readonly data: readonly UsageRow[]
  readonly spent_usd: { readonly today: number; readonly month: number }
}

async function usageOf(key: string, query = 'group_by=model'): Promise<UsageReport> {
  const answer = await send(gateway.url, {
    path: `/v1/usage?${query}`,
    headers: [['x-api-key', key]],
  })
  expect(answer.status).toBe(200)
  return JSON.parse(answer.body.toString()) as UsageReport
}

/** The one row of a key that has been used for so many calls of one model. */
async function rowOf(key: string, requests = 1): Promise<UsageRow> {
  const { data } = await eventually(
    () => usageOf(key),
    (report) => (report.data[0]?.requests ?? 0) >= requests,
    { withinMs: SETTLED_WITHIN_MS },
  )
  expect(data).toHaveLength(1)
  const [row] = data
  if (row === undefined) throw new Error('No usage has been reported')
  return row
}

const newKey = async (): Promise<string> => (await addTenant(gateway.dir)).key

interface Used {
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cache_creation_input_tokens: number
  readonly cache_read_input_tokens: number
  readonly cache_creation: Readonly<Record<string, number>>
}

const usageIn = (body: Buffer): Used => (JSON.parse(body.toString()) as { usage: Used }).usage

function costOf(model: PricedModel, used: Used): number {
  const price = PRICES[model]
  const hour = used.cache_creation['ephemeral_1h_input_tokens'] ?? 0
  const minutes = used.cache_creation['ephemeral_5m_input_tokens'] ?? 0
  const millionths =
    used.input_tokens * price.input +
    used.output_tokens * price.output +
    minutes * price.write5m +
    hour * price.write1h +
    used.cache_read_input_tokens * price.read
  return millionths / 1e6
}

describe('a plain answer', () => {
  it.each(Object.keys(PRICES) as PricedModel[])(
    'of %s costs what its usage says',
    async (model) => {
      const key = await newKey()
      const answer = await send(
        gateway.url,
        claudeCall({ key, prompt: 'x'.repeat(3_000), fields: { model } }),
      )
      const used = usageIn(answer.body)
      const row = await rowOf(key)
      expect(row).toMatchObject({
        model,
        requests: 1,
        input_tokens: used.input_tokens,
        output_tokens: used.output_tokens,
        cache_write_tokens: 0,
        cache_read_tokens: 0,
        saved_usd: 0,
      })
      expect(row.cost_usd).toBeCloseTo(costOf(model, used), 9)
    },
  )
})

describe('a prompt that Claude caches', () => {
  it.each([
    ['5m', { type: 'ephemeral' }],
    ['1h', { type: 'ephemeral', ttl: '1h' }],
  ])('for %s is billed for its writes and its reads', async (name, cacheControl) => {
    const key = await newKey()
    const model = 'claude-sonnet-5-5'
    const system = [{ type: 'text', text: `${name} `.repeat(4_000), cache_control: cacheControl }]
    const call = () => send(gateway.url, claudeCall({ key, fields: { model, system } }))
    const written = usageIn((await call()).body)
    const read = usageIn((await call()).body)
    expect(written.cache_creation_input_tokens).toBeGreaterThan(1_000)
    expect(read.cache_read_input_tokens).toBe(written.cache_creation_input_tokens)
    const row = await rowOf(key, 2)
    expect(row.cache_write_tokens).toBe(written.cache_creation_input_tokens)
    expect(row.cache_read_tokens).toBe(read.cache_read_input_tokens)
    expect(row.input_tokens).toBe(written.input_tokens + read.input_tokens)
    expect(row.cost_usd).toBeCloseTo(costOf(model, written) + costOf(model, read), 9)
  })
})

describe('a stream', () => {
  it('costs what its events say, whole', async () => {
    const key = await newKey()
    const tag = newTag()
    const prompt = '[sim:tokens=120][sim:deltas=30]'
    await send(gateway.url, claudeCall({ key, tag, prompt, fields: { stream: true } }))
    const [entry] = await gateway.simulator.journal.wait({ tag })
    const row = await rowOf(key)
    expect(row.output_tokens).toBe(entry?.tokens)
    expect(row.input_tokens).toBe(entry?.usage?.input_tokens)
    expect(row.cost_usd).toBeCloseTo((row.input_tokens * 2 + row.output_tokens * 10) / 1e6, 9)
  })

  it.each([
    ['left by its caller', undefined],
    ['cut by its upstream', 'cut;after=60'],
    ['ended by an error event', 'error;after=60'],
    ['stalled until its caller leaves', 'stall;after=60'],
  ])('%s is billed for what was produced', async (_, fault) => {
    const key = await newKey()
    const tag = newTag()
    const prompt = '[sim:tokens=2000][sim:deltas=400][sim:gap=4]'
    const { response, socket } = await open(gateway.url, {
      ...claudeCall({
        key,
        tag,
        prompt,
        fields: { stream: true, max_tokens: 4_000 },
        ...(fault === undefined ? {} : { fault }),
      }),
      ownConnection: true,
    })
    response.on('error', () => {})
    if (fault === undefined || fault.startsWith('stall')) {
      await eventuallyRead(response, 50)
      socket.destroy()
    } else await readAll(response)
    const [entry] = await gateway.simulator.journal.wait({ tag })
    const produced = entry?.tokens ?? 0
    expect(produced).toBeGreaterThan(100)
    expect(produced).toBeLessThan(2_000)
    const row = await rowOf(key)
    const slack = ESTIMATE_SLACK_TOKENS + produced * ESTIMATE_SLACK_RATIO
    expect(row.output_tokens).toBeGreaterThanOrEqual(produced - slack)
    expect(row.output_tokens).toBeLessThanOrEqual(produced + slack)
    expect(row.input_tokens).toBe(entry?.usage?.input_tokens)
  })

  it('left before its first event costs nothing', async () => {
    const key = await newKey()
    const tag = newTag()
    const leaving = start(gateway.url, {
      ...claudeCall({ key, tag, fault: 'hang', fields: { stream: true } }),
      ownConnection: true,
    })
    await gateway.simulator.journal.wait({ tag, state: 'arrived' })
    leaving.socket?.resetAndDestroy()
    const [entry] = await gateway.simulator.journal.wait({ tag })
    expect(entry?.outcome).toBe('aborted')
    // The next call is counted: by then the one before would have been, too.
    await send(gateway.url, claudeCall({ key }))
    expect((await rowOf(key)).requests).toBe(1)
  })

  /** Reads so many deltas, and leaves the rest. */
  const eventuallyRead = (response: Parameters<typeof readUntil>[0], deltas: number) => {
    let seen = 0
    return new Promise<void>((resolve) => {
      response.on('data', (chunk: Buffer) => {
        seen += chunk.toString('latin1').split('content_block_delta').length - 1
        if (seen >= deltas) resolve()
      })
    })
  }
})

it('what is free is not billed: counting, listing, refusals, errors', async () => {
  const key = await newKey()
  const calls = [
    claudeCall({ key, path: '/v1/messages/count_tokens', fields: { max_tokens: undefined } }),
    claudeCall({ key, fault: '400' }),
    claudeCall({ key, fields: { model: 'claude-opus-5' }, fault: '529' }),
    claudeCall({ key, body: '{' }),
    {
      path: '/v1/models',
      headers: [
        ['x-api-key', key],
        ['anthropic-version', '2023-06-01'],
      ],
    },
  ] as const
  for (const call of calls) await send(gateway.url, call)
  await send(gateway.url, claudeCall({ key, fields: { model: 'claude-haiku-5-5' } }))
  const row = await rowOf(key)
  expect(row).toMatchObject({ model: 'claude-haiku-5-5', requests: 1 })
})

it('usage is told by model, key, day and user, and sums to what was spent', async () => {
  const { key, keyId } = await addTenant(gateway.dir)
  for (const user of ['ann', 'ben', 'ann']) {
    await send(gateway.url, claudeCall({ key, headers: [['sluice-user', user]] }))
  }
  await rowOf(key, 3)
  const { data, spent_usd: spent } = await usageOf(key, 'group_by=day,key,user')
  const today = new Date().toISOString().slice(0, 10)
  expect(data.map(({ user, requests }) => [user, requests])).toEqual(
    expect.arrayContaining([
      ['ann', 2],
      ['ben', 1],
    ]),
  )
  expect(data).toEqual(
    data.map((row) => expect.objectContaining({ ...row, day: today, key: keyId })),
  )
  const sum = data.reduce((total, row) => total + row.cost_usd, 0)
  expect(spent.today).toBeCloseTo(sum, 9)
  expect(spent.month).toBeCloseTo(sum, 9)
})

it('many calls at once sum to the simulator’s own books, to the token', async () => {
  gateway.simulator.sim.usage.clear()
  const key = await newKey()
  const model = 'claude-haiku-5-5'
  const calls = Array.from({ length: 60 }, (_, index) =>
    send(
      gateway.url,
      claudeCall({
        key,
        prompt: `${index} [sim:tokens=${20 + index}]`,
        fields: { model, stream: index % 2 === 0 },
      }),
    ),
  )
  const statuses = (await Promise.all(calls)).map(({ status }) => status)
  expect(statuses.every((status) => status === 200)).toBe(true)
  const row = await rowOf(key, calls.length)
  const book = gateway.simulator.sim.usage.view() as { data: Record<string, unknown>[] }
  expect(book.data).toHaveLength(1)
  expect(book.data[0]).toMatchObject({
    model,
    requests: row.requests,
    input_tokens: row.input_tokens,
    output_tokens: row.output_tokens,
  })
})
