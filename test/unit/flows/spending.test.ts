// A running stream and its tenant's budget: cut where the money ends, billed for what was produced, and left alone by a
// ledger that has nothing to say about it.
import { afterEach, expect, it, vi } from 'vitest'
import type { UsageRecord } from '../../../src/core/money/usage-record.ts'
import { eventually } from '../../support/eventually.ts'
import { type House, type HouseOptions, openHouse } from '../../support/house.ts'

const MODEL = 'claude-sonnet-5-5'
/** Nano-dollars of that model. */
const INPUT = 2_000
const OUTPUT = 10_000
const INPUT_TOKENS = 3

let house: House
afterEach(() => house.stop())

const open = async (options: Partial<HouseOptions>): Promise<void> => {
  house = await openHouse({ answer: () => produce(1_000), ...options })
}
const budgetOf = (tokens: number) => ({
  budgetUsdPerDay: (INPUT_TOKENS * INPUT + tokens * OUTPUT) / 1e9,
  budgetUsdPerMonth: null,
})
const ask = (maxTokens = 4_000) => house.ask({ stream: true, max_tokens: maxTokens })
const bills = async (): Promise<UsageRecord[]> => {
  await house.settled()
  return [...house.ledgers.bills.values()]
}
const costOf = (tokens: number): number => INPUT_TOKENS * INPUT + tokens * OUTPUT
const tokensIn = (text: string): number => text.split('"text":"four"').length - 1

/** One token an event, made only as it is read; `then` decides what follows the last. */
function produce(tokens: number, before?: (token: number) => Promise<void> | void): Response {
  const encoder = new TextEncoder()
  let made = -1
  const eventOf = (type: string, data: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        made += 1
        if (made === 0) {
          const usage = { input_tokens: INPUT_TOKENS, output_tokens: 1 }
          const event = eventOf('message_start', { message: { model: MODEL, usage } })
          return controller.enqueue(encoder.encode(event))
        }
        if (made <= tokens) {
          await before?.(made)
          const delta = { type: 'text_delta', text: 'four' }
          const event = eventOf('content_block_delta', { index: 0, delta })
          return controller.enqueue(encoder.encode(event))
        }
        const end = eventOf('message_delta', { delta: {}, usage: { output_tokens: tokens } })
        controller.enqueue(encoder.encode(end + eventOf('message_stop', {})))
        controller.close()
      },
    },
    { highWaterMark: 0 },
  )
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}

/** The data of the last event, which must be an error. */
function errorIn(text: string): unknown {
  const [, data] = /event: error\ndata: (.*)\n\n$/.exec(text) ?? []
  return data === undefined ? text.slice(-300) : JSON.parse(data)
}

const exhausted = (limit: string) => ({
  type: 'error',
  error: {
    type: 'billing_error',
    message: expect.stringContaining(`The budget is used up: ${limit}`),
    details: { limits: [expect.objectContaining({ reason: 'budget_exhausted', limit })] },
  },
  request_id: expect.any(String),
})

it('a stream that crosses the budget of the day ends with an error event, and is billed for what was produced', async () => {
  await open({ tier: budgetOf(300) })
  const text = await (await ask()).text()
  expect(errorIn(text)).toEqual(exhausted('$0.003006 a day'))
  // Some were on their way already.
  const produced = tokensIn(text)
  expect(produced).toBeGreaterThanOrEqual(300)
  expect(produced).toBeLessThan(310)
  expect(house.sent[0]?.signal.aborted).toBe(true)
  expect(await bills()).toEqual([
    expect.objectContaining({
      outputTokens: produced,
      costNanoUsd: costOf(produced),
      estimated: true,
    }),
  ])
  expect(house.inUse('alpha')).toBe(0)
  const refused = await ask()
  expect(refused.status).toBe(402)
  expect(refused.headers.get('sluice-reason')).toBe('budget_exhausted')
  expect(house.sent).toHaveLength(1)
})

it('a stream that another has left no money ends, too', async () => {
  const others = Promise.withResolvers<void>()
  await open({
    tier: budgetOf(2_000),
    answer: ({ body }) => (body.includes('"max_tokens":500') ? produce(500) : produce(1_900, hold)),
  })
  const hold = (token: number): Promise<void> | void => (token === 100 ? others.promise : undefined)
  const long = await ask(4_000)
  for (let each = 0; each < 3; each += 1) await (await ask(500)).text()
  const billed = () => house.ledgers.bills.size
  expect(await eventually(billed, (count) => count === 3, { withinMs: 5_000 })).toBe(3)
  others.resolve()
  const produced = tokensIn(await long.text())
  // It hears of them when it asks, halfway through its part.
  expect(produced).toBeGreaterThanOrEqual(500)
  expect(produced).toBeLessThan(600)
  expect((await bills()).reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0)).toBeLessThan(
    costOf(2_000 + produced),
  )
})

it('a stream that is complete is not cut, though it used up the budget', async () => {
  await open({ tier: budgetOf(90), answer: () => produce(100, () => {}) })
  const whole = await (await ask(100)).text()
  expect(whole).toContain('event: error')
  await open({
    tier: budgetOf(90),
    // All of it comes in one piece.
    answer: async () => {
      const text = await produce(100).text()
      return new Response(text, { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  const text = await (await ask(100)).text()
  expect(text).toMatch(/event: message_stop\ndata: .*\n\n$/)
  expect(await bills()).toMatchObject([{ outputTokens: 100, estimated: false }])
})

it('far from its end a budget costs no word to the ledger, and without one no look at the money', async () => {
  const renew = vi.fn()
  const ledgers: HouseOptions['ledgers'] = (own) => ({ ...own, renew })
  for (const tier of [{ budgetUsdPerDay: 100 }, { budgetUsdPerDay: null }]) {
    await open({ tier, ledgers })
    expect(await (await ask()).text()).toContain('message_stop')
    expect(await bills()).toMatchObject([{ outputTokens: 1_000 }])
  }
  expect(renew).not.toHaveBeenCalled()
})

it('a stream that holds all that it can spend asks for no more, though we count more than it may produce', async () => {
  const renew = vi.fn()
  await open({ tier: { budgetUsdPerDay: 100 }, ledgers: (own) => ({ ...own, renew }) })
  expect(tokensIn(await (await ask(200)).text())).toBe(1_000)
  expect(renew).not.toHaveBeenCalled()
})

it('a stream at its allowance does not go on without its ledger, and is billed when that is back', async () => {
  await open({
    tier: budgetOf(300),
    ledgers: (own) => ({ ...own, renew: async () => ({ kind: 'unavailable' }) }),
  })
  const text = await (await ask()).text()
  expect(errorIn(text)).toMatchObject({ error: { type: 'overloaded_error' } })
  expect(tokensIn(text)).toBeLessThan(310)
  expect(await bills()).toMatchObject([{ outputTokens: tokensIn(text) }])
})

it('a stream at its allowance waits for a ledger that fails now and then', async () => {
  let asked = 0
  await open({
    tier: budgetOf(2_000),
    ledgers: (own) => ({
      ...own,
      renew: async (renewal) => {
        asked += 1
        return asked <= 2 ? { kind: 'unavailable' } : own.renew(renewal)
      },
    }),
    answer: () => produce(1_500),
  })
  expect(await (await ask()).text()).toContain('message_stop')
  expect(asked).toBeGreaterThan(2)
})
