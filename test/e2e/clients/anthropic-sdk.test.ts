// Claude's own TypeScript SDK, as its users install it, against the gateway.
import Anthropic from '@anthropic-ai/sdk'
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema'
import { describe, expect, test } from 'vitest'
import { sharedGateway } from '../../support/gateway.ts'
import { bodyOf, headerOf, journalAt, newTag } from '../../support/gateway-simulator.ts'

const gateway = sharedGateway()
const journal = journalAt(gateway.simulatorUrl)
const client = new Anthropic({ baseURL: gateway.url, apiKey: gateway.keys.enterprise })

const model = 'claude-sonnet-5-5'
const ask = (content: string, maxTokens = 200) => ({
  model,
  max_tokens: maxTokens,
  messages: [{ role: 'user' as const, content }],
})
const tagged = (tag: string, more: Record<string, string> = {}) => ({
  headers: { 'anthropic-sim-tag': tag, ...more },
})
/** Long enough to be left in the middle. */
const LONG = '[sim:tokens=2000][sim:gap=20]'

describe('messages', () => {
  test('create answers with a message, its usage, and both request ids', async () => {
    const tag = newTag()
    const { data, response, request_id } = await client.messages
      .create(ask('[sim:text=Hello from Claude]'), tagged(tag))
      .withResponse()
    expect(data.content).toEqual([
      expect.objectContaining({ type: 'text', text: 'Hello from Claude' }),
    ])
    expect(data.usage.input_tokens).toBeGreaterThan(0)
    expect(data.usage.output_tokens).toBeGreaterThan(0)
    const entry = await journal.one(tag)
    expect(request_id).toBe(response.headers.get('request-id'))
    expect(response.headers.get('sluice-upstream-request-id')).toBe(entry.request_id)
    expect(request_id).not.toBe(entry.request_id)
  })

  test('its version reaches Claude as it is, and its key does not', async () => {
    const tag = newTag()
    await client.messages.create(ask('Hello'), tagged(tag))
    const entry = await journal.one(tag)
    expect(headerOf(entry, 'anthropic-version')).toBe('2026-10-21')
    expect(headerOf(entry, 'authorization')).toBeUndefined()
    expect(headerOf(entry, 'x-api-key')).not.toContain(gateway.keys.enterprise.slice(-4))
    expect(headerOf(entry, 'x-stainless-lang')).toBeUndefined()
  })

  test('create with stream yields every event in order', async () => {
    const stream = await client.messages.create({
      ...ask('[sim:text=One two three]'),
      stream: true,
    })
    const types: string[] = []
    let text = ''
    for await (const event of stream) {
      types.push(event.type)
      if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') {
        text += event.delta.text
      }
    }
    expect(text).toBe('One two three')
    expect(types[0]).toBe('message_start')
    expect(types.slice(-2)).toEqual(['message_delta', 'message_stop'])
  })

  test('the stream helper raises its events and gives the final message', async () => {
    const stream = client.messages.stream(ask('[sim:text=A story in small pieces]'))
    const texts: string[] = []
    const seen = new Set<string>()
    stream.on('text', (delta) => void texts.push(delta))
    stream.on('streamEvent', (event) => void seen.add(event.type))
    stream.on('contentBlock', () => void seen.add('contentBlock'))
    const message = await stream.finalMessage()
    expect(texts.join('')).toBe('A story in small pieces')
    expect(await stream.finalText()).toBe('A story in small pieces')
    expect(message.stop_reason).toBe('end_turn')
    expect(message.usage.output_tokens).toBeGreaterThan(0)
    expect([...seen]).toEqual(expect.arrayContaining(['message_start', 'contentBlock']))
    expect(stream.request_id).toMatch(/^req_/)
  })

  test('thinking blocks come with their signature, streamed and whole', async () => {
    const params = {
      ...ask('[sim:thinking][sim:text=Thought through]', 4_000),
      thinking: { type: 'enabled' as const, budget_tokens: 1_024 },
    }
    const whole = await client.messages.create(params)
    const streamed = await client.messages.stream(params).finalMessage()
    for (const message of [whole, streamed]) {
      const thinking = message.content.find((block) => block.type === 'thinking')
      expect(thinking?.thinking).not.toBe('')
      expect(thinking?.signature).not.toBe('')
    }
  })

  test('a tool call streams its input', async () => {
    const stream = client.messages.stream({
      ...ask('[sim:tool=get_weather]'),
      tools: [
        {
          name: 'get_weather',
          input_schema: {
            type: 'object',
            properties: { place: { type: 'string' } },
            required: ['place'],
          },
        },
      ],
    })
    const snapshots: unknown[] = []
    stream.on('inputJson', (_, snapshot) => void snapshots.push(snapshot))
    const message = await stream.finalMessage()
    const call = message.content.find((block) => block.type === 'tool_use')
    expect(message.stop_reason).toBe('tool_use')
    expect(call?.input).toEqual({ place: expect.any(String) as string })
    expect(snapshots.at(-1)).toEqual(call?.input)
  })

  test('a stream that Claude breaks ends in an error, never in silence', async () => {
    const tag = newTag()
    const stream = await client.messages.create(
      { ...ask('[sim:tokens=100]'), stream: true },
      tagged(tag, { 'anthropic-sim-fault': 'truncate;after=4' }),
    )
    const read = async () => {
      for await (const _ of stream);
    }
    await expect(read()).rejects.toThrow(Anthropic.APIError)
  })
})

describe('betas', () => {
  test('beta.messages goes to ?beta=true with its betas unfiltered', async () => {
    const tag = newTag()
    await client.beta.messages.create(
      { ...ask('Hello'), betas: ['unheard-of-2031-01-01', 'files-api-2025-04-14'] },
      tagged(tag),
    )
    const entry = await journal.one(tag)
    expect(headerOf(entry, 'anthropic-beta')).toBe('unheard-of-2031-01-01,files-api-2025-04-14')
  })

  test('toolRunner talks to the end over a message thread, each turn sending what is new', async () => {
    const tag = newTag()
    const places: string[] = []
    const runner = client.beta.messages.toolRunner(
      { ...weather(places), max_iterations: 5 },
      tagged(tag),
    )
    const final = await runner.runUntilDone()
    expect(places).toHaveLength(1)
    expect(final.stop_reason).toBe('end_turn')
    const [first, second] = await journal.wait({ tag, count: 2 })
    expect(first && bodyOf(first)['thread']).toEqual({ type: 'create' })
    expect(second && bodyOf(second)['thread']).toMatchObject({ type: 'continue' })
    expect(second && bodyOf(second)['messages']).toHaveLength(1)
  })

  test('toolRunner streams over a thread too', async () => {
    const tag = newTag()
    const places: string[] = []
    const runner = client.beta.messages.toolRunner(
      { ...weather(places), stream: true },
      tagged(tag),
    )
    let last = ''
    for await (const turn of runner) last = String((await turn.finalMessage()).stop_reason)
    expect(last).toBe('end_turn')
    expect(places).toHaveLength(1)
    const entries = await journal.wait({ tag, count: 2 })
    expect(entries.map((entry) => bodyOf(entry)['stream'])).toEqual([true, true])
  })

  test('where a thread is not supported the runner goes on without one', async () => {
    const tag = newTag()
    const places: string[] = []
    const runner = client.beta.messages.toolRunner(
      weather(places),
      tagged(tag, { 'anthropic-sim-fault': 'thread-unsupported' }),
    )
    const final = await runner.runUntilDone()
    expect(final.stop_reason).toBe('end_turn')
    expect(places).toHaveLength(1)
    const entries = await journal.wait({ tag, count: 3 })
    expect(entries.map(({ status }) => status)).toContain(400)
    expect(bodyOf(entries.at(-1) ?? fail())['thread']).toBeUndefined()
  })

  test('a thread that Claude has lost is replayed from the start', async () => {
    const tag = newTag()
    const thread = client.beta.messages.thread({ model, max_tokens: 100 })
    await thread.send({ role: 'user', content: 'First' }, {}, tagged(tag))
    const second = await thread.send(
      { role: 'user', content: 'Second' },
      {},
      tagged(tag, { 'anthropic-sim-fault': 'thread-lost' }),
    )
    expect(second.type).toBe('message')
    const entries = await journal.wait({ tag, count: 3 })
    expect(entries.map(({ status }) => status)).toEqual([200, 404, 200])
    expect(bodyOf(entries.at(-1) ?? fail())['messages']).toHaveLength(3)
  })
})

describe('the rest of the API', () => {
  test('countTokens counts', async () => {
    const { model: name, messages } = ask('How many tokens is this?')
    const { input_tokens: tokens } = await client.messages.countTokens({ model: name, messages })
    expect(tokens).toBeGreaterThan(0)
  })

  test('models are listed page by page, and retrieved', async () => {
    const ids: string[] = []
    for await (const { id } of client.models.list({ limit: 7 })) ids.push(id)
    expect(ids.length).toBeGreaterThan(7)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids).toContain(model)
    const one = await client.models.retrieve(model)
    expect(one.id).toBe(model)
  })
})

describe('a caller that leaves', () => {
  test('abort in mid-stream ends the call to Claude within a second', async () => {
    const tag = newTag()
    const stream = client.messages.stream(ask(LONG, 4_000), tagged(tag))
    const ended = expect(stream.done()).rejects.toThrow(Anthropic.APIUserAbortError)
    await new Promise<void>((resolve) => stream.once('text', () => resolve()))
    const leftAt = Date.now()
    stream.abort()
    await ended
    const entry = await journal.one(tag)
    expect(entry.outcome).toBe('aborted')
    expect(entry.events).toBeGreaterThan(0)
    expect((entry.aborted_at ?? 0) - leftAt).toBeLessThan(1_000)
  })

  test('leaving the loop over a stream ends the call to Claude', async () => {
    const tag = newTag()
    const stream = await client.messages.create({ ...ask(LONG, 4_000), stream: true }, tagged(tag))
    for await (const event of stream) if (event.type === 'content_block_delta') break
    expect((await journal.one(tag)).outcome).toBe('aborted')
  })

  // The SDK closes its socket, and a closed socket is noticed at the next write: here, of the first event.
  test('abort before the first byte ends the call to Claude with its first event', async () => {
    const tag = newTag()
    const stream = client.messages.stream(
      ask(LONG, 4_000),
      tagged(tag, { 'anthropic-sim-fault': 'slow=700' }),
    )
    const ended = expect(stream.done()).rejects.toThrow(Anthropic.APIUserAbortError)
    await journal.wait({ tag, state: 'arrived' })
    stream.abort()
    await ended
    const entry = await journal.one(tag)
    expect(entry.outcome).toBe('aborted')
    expect((entry.aborted_at ?? Infinity) - (entry.first_byte_at ?? 0)).toBeLessThan(1_000)
  })
})

function weather(places: string[]) {
  const tool = betaTool({
    name: 'get_weather',
    description: 'The weather at a place',
    inputSchema: {
      type: 'object',
      properties: { place: { type: 'string' } },
      required: ['place'],
    },
    run: ({ place }) => {
      places.push(place)
      return 'Sunny'
    },
  })
  return { ...ask('Please call get_weather'), tools: [tool] }
}

function fail(): never {
  throw new Error('The journal is empty')
}
