// LangChain's chat model for Claude.
import { ChatAnthropic } from '@langchain/anthropic'
import { HumanMessage, ToolMessage } from '@langchain/core/messages'
import { expect, test } from 'vitest'
import { sharedGateway } from '../../support/gateway.ts'

const gateway = sharedGateway()
const chat = new ChatAnthropic({
  model: 'claude-sonnet-4-6',
  maxTokens: 200,
  anthropicApiUrl: gateway.url,
  apiKey: gateway.keys.enterprise,
})

const weather = {
  name: 'get_weather',
  description: 'The weather at a place',
  input_schema: {
    type: 'object' as const,
    properties: { place: { type: 'string' } },
    required: ['place'],
  },
}

test('invoke answers, with its usage', async () => {
  const answer = await chat.invoke('[sim:text=Hello from Claude]')
  expect(answer.text).toBe('Hello from Claude')
  const usage = answer.usage_metadata as { output_tokens: number } | undefined
  expect(usage?.output_tokens).toBeGreaterThan(0)
})

test('stream yields the answer in pieces', async () => {
  const pieces: string[] = []
  for await (const chunk of await chat.stream('[sim:text=A story in small pieces][sim:deltas=5]')) {
    if (chunk.text !== '') pieces.push(chunk.text)
  }
  expect(pieces.join('')).toBe('A story in small pieces')
  expect(pieces.length).toBeGreaterThan(1)
})

test('a bound tool is called, and its result answered', async () => {
  const bound = chat.bindTools([weather])
  const question = new HumanMessage('Please call get_weather')
  const first = await bound.invoke([question])
  const [call] = first.tool_calls ?? []
  expect(call?.name).toBe('get_weather')
  expect(call?.args).toEqual({ place: expect.any(String) as string })
  const result = new ToolMessage({ content: 'Sunny', tool_call_id: call?.id ?? '' })
  const second = await bound.invoke([question, first, result])
  expect(second.tool_calls).toEqual([])
  expect(second.text).not.toBe('')
})

test('a tool call arrives from a stream', async () => {
  const stream = await chat.bindTools([weather]).stream('Please call get_weather')
  let json = ''
  for await (const chunk of stream) {
    for (const part of chunk.tool_call_chunks ?? []) json += part.args ?? ''
  }
  expect(JSON.parse(json)).toEqual({ place: expect.any(String) as string })
})

test('a refused key is an error with its status', async () => {
  const stranger = new ChatAnthropic({
    model: 'claude-sonnet-4-6',
    anthropicApiUrl: gateway.url,
    apiKey: 'not-a-key',
    maxRetries: 0,
  })
  await expect(stranger.invoke('Hello')).rejects.toMatchObject({ status: 401 })
})
