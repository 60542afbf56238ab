// Sessions over their whole life: hundreds of turns, failures at every point of an answer, tool loops of Claude's own
// SDK, and real conversations with their bill.
import Anthropic from '@anthropic-ai/sdk'
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  handbook,
  hasConversations,
  readConversations,
} from '../../../bench/prompt-caching/conversations.ts'
import { play } from '../../../bench/prompt-caching/play.ts'
import { claudeCall } from '../../support/claude-call.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { type RawAnswer, send } from '../../support/raw-http.ts'
import { addTenant } from '../../support/tenants.ts'

const MAX_BYTES = 20_000
let gateway: TestGateway
let key: string

beforeAll(async () => {
  gateway = await startTestGateway({
    settings: {
      SLUICE_SESSION_MAX_BYTES: MAX_BYTES,
      SLUICE_RETRY_ATTEMPTS: 1,
      SLUICE_BREAKER_CONSECUTIVE: 1_000_000,
      SLUICE_BREAKER_MIN_CALLS: 1_000_000,
      SLUICE_REDIS_TIMEOUT_MS: 1_000,
    },
  })
  key = gateway.keys.enterprise
})
afterAll(() => gateway.stop())

interface Ask {
  readonly session?: string | undefined
  readonly fields?: Readonly<Record<string, unknown>>
  readonly fault?: string
  readonly tag?: string
}

const say = (message: unknown, { session, fields, ...more }: Ask = {}): Promise<RawAnswer> =>
  send(
    gateway.url,
    claudeCall({
      key,
      path: '/v1/chat',
      body: JSON.stringify({
        message,
        model: 'claude-haiku-5-5',
        max_tokens: 60,
        ...(session === undefined ? {} : { session_id: session }),
        ...fields,
      }),
      ...more,
    }),
  )

interface Block {
  readonly type: string
  readonly id?: string
  readonly tool_use_id?: string
}
interface Shown {
  readonly turns: number
  readonly messages: readonly { readonly role: string; readonly content: string | Block[] }[]
  readonly system?: string
}

async function shown(session: string, by = key): Promise<Shown> {
  const answer = await send(gateway.url, {
    method: 'GET',
    path: `/v1/sessions/${session}`,
    headers: [['x-api-key', by]],
  })
  return JSON.parse(answer.body.toString()) as Shown
}

const blocksOf = (messages: Shown['messages']): readonly Block[] =>
  messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content))

describe('300 turns', () => {
  it('are taken by Claude one after the other; what had to make room went whole, tools with their results', async () => {
    const tools = [{ name: 'look', input_schema: { type: 'object' } }]
    const fields = { tools, system: 'Be brief.' }
    let session: string | undefined
    let use: string | undefined
    for (let turn = 1; turn <= 300; turn += 1) {
      // Every seventh turn asks for a tool, and the one after it brings the result.
      const result = [{ type: 'tool_result', tool_use_id: use, content: `found ${turn}` }]
      const asked =
        turn % 7 === 0 ? `look ${turn} [sim:tool=look]` : `say ${turn} ${'x'.repeat(99)}`
      const answer = await say(use === undefined ? asked : result, { session, fields })
      expect(answer.status).toBe(200)
      expect(answer.headers['sluice-turn']).toBe(String(turn))
      session ??= String(answer.headers['sluice-session'])
      const { content } = JSON.parse(answer.body.toString()) as { content: Block[] }
      use = content.find(({ type }) => type === 'tool_use')?.id
    }
    const { turns, messages, system } = await shown(session ?? '')
    expect(turns).toBe(300)
    expect(system).toBe('Be brief.')
    expect(JSON.stringify(messages).length).toBeLessThanOrEqual(MAX_BYTES + 2 * messages.length)
    expect(messages.length).toBeGreaterThan(50)
    expect(messages[0]?.role).toBe('user')
    const uses = blocksOf(messages).flatMap(({ id }) => (id === undefined ? [] : [id]))
    const answered = blocksOf(messages).flatMap(({ tool_use_id: id }) => (id ? [id] : []))
    expect(answered.length).toBeGreaterThan(3)
    for (const id of answered) expect(uses).toContain(id)
  })
})

describe('a stream that is cut', () => {
  it('after any of its events leaves a session that goes on', async () => {
    const session = String((await say('begin')).headers['sluice-session'])
    let turn = 1
    let cuts = 0
    for (let after = 0; after <= 14; after += 1) {
      const fields = { stream: true }
      const cut = `truncate;after=${after}`
      const answer = await say('cut [sim:deltas=8]', { session, fields, fault: cut })
      // The last ones cut nothing off: the answer is shorter.
      if (answer.body.toString().includes('event: message_stop')) turn += 1
      else cuts += 1
      const next = await say(`goes on ${after}`, { session })
      expect(next.headers['sluice-turn']).toBe(String((turn += 1)))
    }
    expect(cuts).toBeGreaterThan(10)
    const { messages } = await shown(session)
    expect(messages.map(({ role }) => role)).toEqual(
      Array.from({ length: turn }, () => ['user', 'assistant']).flat(),
    )
  })
})

describe("a tool loop of Claude's own SDK", () => {
  it.each([
    ['with a thread, which it goes on without', undefined],
    ['with its own history', false as const],
  ])('%s becomes turns of the session, each message once', async (_, thread) => {
    const session = String((await say('before the loop')).headers['sluice-session'])
    const client = new Anthropic({ baseURL: gateway.url, apiKey: key })
    const places: string[] = []
    const tool = betaTool({
      name: 'get_weather',
      description: 'The weather at a place',
      inputSchema: { type: 'object', properties: { place: { type: 'string' } } },
      run: ({ place }) => {
        places.push(String(place))
        return 'sunny'
      },
    })
    const runner = client.beta.messages.toolRunner(
      {
        model: 'claude-sonnet-5-5',
        max_tokens: 200,
        messages: [{ role: 'user', content: 'Please call get_weather' }],
        tools: [tool],
        ...(thread === undefined ? {} : { thread }),
      },
      { headers: { 'sluice-session': session } },
    )
    expect((await runner.runUntilDone()).stop_reason).toBe('end_turn')
    expect(places).toHaveLength(1)
    const { turns, messages } = await shown(session)
    expect(turns).toBe(3)
    expect(messages.map(({ role }) => role)).toEqual([1, 2, 3].flatMap(() => ['user', 'assistant']))
    expect(blocksOf(messages).filter(({ type }) => type === 'tool_use')).toHaveLength(1)
    expect(blocksOf(messages).filter(({ type }) => type === 'tool_result')).toHaveLength(1)
    expect((await say('and after it', { session })).status).toBe(200)
  })
})

describe.skipIf(!hasConversations)(
  '175 recorded conversations of an app with a system prompt',
  () => {
    it('cost at least 60 % less to read than without prompt caching, and the tenant is told so', async () => {
      const own = await addTenant(gateway.dir, { tier: 'enterprise' })
      const input = await play(readConversations(), {
        url: gateway.url,
        key: own.key,
        model: 'claude-sonnet-5-5',
        system: handbook(4_000),
        atOnce: 8,
      })
      expect(input.turns).toBeGreaterThan(300)
      expect(1 - input.nanoUsd / input.plainNanoUsd).toBeGreaterThan(0.6)
      const usage = await send(gateway.url, {
        method: 'GET',
        path: '/v1/usage',
        headers: [['x-api-key', own.key]],
      })
      const { data } = JSON.parse(usage.body.toString()) as { data: { saved_usd: number }[] }
      const saved = data.reduce((sum, row) => sum + row.saved_usd, 0)
      expect(saved).toBeCloseTo((input.plainNanoUsd - input.nanoUsd) / 1e9, 6)
    })
  },
)
