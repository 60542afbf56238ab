// OpenAI's SDK on Claude's OpenAI-compatible endpoint, through the gateway.
import OpenAI from 'openai'
import { expect, test } from 'vitest'
import { sharedGateway } from '../../support/gateway.ts'
import { headerOf, journalAt, newTag } from '../../support/gateway-simulator.ts'

const gateway = sharedGateway()
const journal = journalAt(gateway.simulatorUrl)
const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: gateway.keys.enterprise })

const ask = (content: string) => ({
  model: 'claude-sonnet-5-5',
  max_tokens: 200,
  messages: [{ role: 'user' as const, content }],
})

test('create answers in the shape of a chat completion', async () => {
  const tag = newTag()
  const completion = await client.chat.completions.create(ask('[sim:text=Hello from Claude]'), {
    headers: { 'anthropic-sim-tag': tag },
  })
  expect(completion.choices[0]?.message.content).toBe('Hello from Claude')
  expect(completion.usage?.completion_tokens).toBeGreaterThan(0)
  const entry = await journal.one(tag)
  expect(entry.path).toBe('/v1/chat/completions')
  expect(headerOf(entry, 'authorization') ?? '').not.toContain(gateway.keys.enterprise.slice(-4))
})

test('create with stream yields chunks to the end', async () => {
  const stream = await client.chat.completions.create({
    ...ask('[sim:text=A story in small pieces]'),
    stream: true,
    stream_options: { include_usage: true },
  })
  let text = ''
  let finish: string | null = null
  for await (const chunk of stream) {
    const [choice] = chunk.choices
    text += choice?.delta.content ?? ''
    finish = choice?.finish_reason ?? finish
  }
  expect(text).toBe('A story in small pieces')
  expect(finish).toBe('stop')
})

test('leaving the loop over a stream ends the call to Claude', async () => {
  const tag = newTag()
  const stream = await client.chat.completions.create(
    { ...ask('[sim:tokens=2000][sim:gap=20]'), max_tokens: 4_000, stream: true },
    { headers: { 'anthropic-sim-tag': tag } },
  )
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break
  expect((await journal.one(tag)).outcome).toBe('aborted')
})

test('errors are raised by their class', async () => {
  const stranger = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'not-a-key' })
  await expect(stranger.chat.completions.create(ask('Hello'))).rejects.toThrow(
    OpenAI.AuthenticationError,
  )
  const missing = client.chat.completions.create({ ...ask('Hello'), model: 'claude-unheard-of-9' })
  await expect(missing).rejects.toThrow(OpenAI.NotFoundError)
})
