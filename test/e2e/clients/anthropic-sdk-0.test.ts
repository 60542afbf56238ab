// Claude's SDK of the 0.x line: `x-api-key`, the older API version, `?beta=true`.
import Anthropic from 'anthropic-sdk-0'
import { betaTool } from 'anthropic-sdk-0/helpers/beta/json-schema'
import { expect, test } from 'vitest'
import { sharedGateway } from '../../support/gateway.ts'
import { headerOf, journalAt, newTag } from '../../support/gateway-simulator.ts'

const gateway = sharedGateway()
const journal = journalAt(gateway.simulatorUrl)
const client = new Anthropic({ baseURL: gateway.url, apiKey: gateway.keys.enterprise })

const model = 'claude-opus-4-8'
const ask = (content: string, maxTokens = 200) => ({
  model,
  max_tokens: maxTokens,
  messages: [{ role: 'user' as const, content }],
})
const tagged = (tag: string, more: Record<string, string> = {}) => ({
  headers: { 'anthropic-sim-tag': tag, ...more },
})

test('create answers, with sampling fields that only the older version knows', async () => {
  const tag = newTag()
  const message = await client.messages.create(
    { ...ask('[sim:text=Hello from Claude]'), temperature: 0.5 },
    tagged(tag),
  )
  expect(message.content[0]).toMatchObject({ type: 'text', text: 'Hello from Claude' })
  const entry = await journal.one(tag)
  expect(headerOf(entry, 'anthropic-version')).toBe('2023-06-01')
  expect(headerOf(entry, 'x-api-key')).not.toContain(gateway.keys.enterprise.slice(-4))
})

test('the stream helper gives the final message and its text', async () => {
  const stream = client.messages.stream(ask('[sim:text=Streamed from Claude]'))
  let text = ''
  stream.on('text', (delta) => {
    text += delta
  })
  const message = await stream.finalMessage()
  expect(text).toBe('Streamed from Claude')
  expect(message.usage.output_tokens).toBeGreaterThan(0)
})

test('betas go to ?beta=true, unfiltered', async () => {
  const tag = newTag()
  await client.beta.messages.create(
    { ...ask('Hello'), betas: ['unheard-of-2031-01-01'] },
    tagged(tag),
  )
  const entry = await journal.one(tag)
  expect(entry.query).toBe('?beta=true')
  expect(headerOf(entry, 'anthropic-beta')).toContain('unheard-of-2031-01-01')
})

test('toolRunner talks to the end, sending its history each turn', async () => {
  const calls: string[] = []
  const tool = betaTool({
    name: 'get_weather',
    description: 'The weather at a place',
    inputSchema: {
      type: 'object',
      properties: { place: { type: 'string' } },
      required: ['place'],
    },
    run: ({ place }) => {
      calls.push(place)
      return 'Sunny'
    },
  })
  const final = await client.beta.messages.toolRunner({
    ...ask('Please call get_weather'),
    tools: [tool],
  })
  expect(calls).toHaveLength(1)
  expect(final.stop_reason).toBe('end_turn')
})

test('tokens are counted, models listed and retrieved', async () => {
  const { messages } = ask('How many tokens?')
  const { input_tokens: tokens } = await client.messages.countTokens({ model, messages })
  expect(tokens).toBeGreaterThan(0)
  const page = await client.models.list({ limit: 100 })
  expect(page.data.map(({ id }) => id)).toContain(model)
  expect((await client.models.retrieve(model)).id).toBe(model)
})

test('abort in mid-stream ends the call to Claude', async () => {
  const tag = newTag()
  const stream = client.messages.stream(ask('[sim:tokens=2000][sim:gap=20]', 4_000), tagged(tag))
  const ended = expect(stream.done()).rejects.toThrow(Anthropic.APIUserAbortError)
  await new Promise<void>((resolve) => stream.once('text', () => resolve()))
  stream.abort()
  await ended
  expect((await journal.one(tag)).outcome).toBe('aborted')
})

test('errors are raised by their class, with the request id', async () => {
  const stranger = new Anthropic({ baseURL: gateway.url, apiKey: 'not-a-key' })
  await expect(stranger.messages.create(ask('Hello'))).rejects.toThrow(
    Anthropic.AuthenticationError,
  )
  const missing = client.messages.create({ ...ask('Hello'), model: 'claude-unheard-of-9' })
  await expect(missing).rejects.toThrow(Anthropic.NotFoundError)
  await expect(missing).rejects.toMatchObject({
    status: 404,
    requestID: expect.stringMatching(/^req_/) as string,
  })
})
