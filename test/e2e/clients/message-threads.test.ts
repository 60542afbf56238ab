// Message threads where there are several accounts: Claude keeps a thread on the account that made it, so the gateway
// has to find that account again, or refuse in the way that lets the SDK go on without a thread.
import Anthropic from '@anthropic-ai/sdk'
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import {
  bodyOf,
  journalAt,
  newTag,
  type SimulatorJournal,
} from '../../support/gateway-simulator.ts'

const ACCOUNTS = ['red', 'green', 'blue']
const RUNS = 6
const model = 'claude-sonnet-5-5'

let gateway: TestGateway
let journal: SimulatorJournal
let client: Anthropic

beforeAll(async () => {
  gateway = await startTestGateway({
    settings: {
      ANTHROPIC_ACCOUNTS: JSON.stringify(
        ACCOUNTS.map((id) => ({ id, api_key: `sk-ant-sim-${id}` })),
      ),
      SLUICE_QUEUE_WAIT_MS: 0,
    },
  })
  journal = journalAt(gateway.simulatorUrl)
  client = new Anthropic({
    baseURL: gateway.url,
    apiKey: gateway.keys.enterprise,
    maxRetries: 0,
  })
})
afterAll(() => gateway.stop())

async function run(tag: string): Promise<string | null> {
  const tool = betaTool({
    name: 'get_weather',
    description: 'The weather at a place',
    inputSchema: { type: 'object', properties: { place: { type: 'string' } } },
    run: () => 'Sunny',
  })
  const final = await client.beta.messages
    .toolRunner(
      {
        model,
        max_tokens: 200,
        messages: [{ role: 'user', content: 'Please call get_weather' }],
        tools: [tool],
      },
      { headers: { 'anthropic-sim-tag': tag } },
    )
    .runUntilDone()
  return final.stop_reason
}

test('each turn of a thread finds the account that holds it', async () => {
  for (let i = 0; i < RUNS; i++) {
    const tag = newTag()
    expect(await run(tag)).toBe('end_turn')
    const entries = await journal.wait({ tag, count: 2 })
    expect(entries.map(({ status }) => status)).toEqual([200, 200])
    expect(bodyOf(entries[1] ?? none())['thread']).toMatchObject({ type: 'continue' })
    expect(new Set(entries.map(({ org }) => org)).size).toBe(1)
  }
})

test('without a thread the accounts share the work', async () => {
  const tag = newTag()
  for (let i = 0; i < 20; i++) await plainCall(tag)
  const orgs = new Set((await journal.wait({ tag, count: 20 })).map(({ org }) => org))
  expect(orgs.size).toBeGreaterThan(1)
})

test('where that account is parked, the SDK goes on without a thread on another', async () => {
  const before = newTag()
  await run(before)
  const [{ org } = none()] = await journal.wait({ tag: before })
  const rule = gateway.simulator.sim.rules.add({
    match: { org },
    fault: '429=spend',
    count: 1,
  })
  for (let i = 0; i < 60 && gateway.simulator.sim.rules.list()[0]?.['hits'] === 0; i++) {
    await plainCall(newTag())
  }
  expect(gateway.simulator.sim.rules.list()).toEqual([{ ...rule, hits: 1, seen: 1, count_left: 0 }])

  const tag = newTag()
  expect(await run(tag)).toBe('end_turn')
  const entries = await journal.wait({ tag, count: 2 })
  for (const entry of entries) {
    expect(entry.status).toBe(200)
    expect(entry.org).not.toBe(org)
    expect(bodyOf(entry)['thread']).toBeUndefined()
  }
})

const plainCall = (tag: string) =>
  client.messages.create(
    { model, max_tokens: 20, messages: [{ role: 'user', content: 'Hello' }] },
    { headers: { 'anthropic-sim-tag': tag } },
  )

function none(): never {
  throw new Error('Nothing has reached Claude')
}
