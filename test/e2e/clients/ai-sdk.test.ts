// Vercel's AI SDK with its Anthropic provider.
import { createAnthropic } from '@ai-sdk/anthropic'
import { APICallError, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai'
import { expect, test } from 'vitest'
import { sharedGateway } from '../../support/gateway.ts'
import { journalAt, newTag } from '../../support/gateway-simulator.ts'

const gateway = sharedGateway()
const journal = journalAt(gateway.simulatorUrl)
const anthropic = createAnthropic({
  baseURL: `${gateway.url}/v1`,
  apiKey: gateway.keys.enterprise,
})
const model = anthropic('claude-sonnet-5-5')

const getWeather = tool({
  description: 'The weather at a place',
  inputSchema: jsonSchema<{ place: string }>({
    type: 'object',
    properties: { place: { type: 'string' } },
    required: ['place'],
    additionalProperties: false,
  }),
  execute: ({ place }) => `Sunny in ${place}`,
})

test('generateText gives the text and counts its tokens', async () => {
  const { text, usage, finishReason } = await generateText({
    model,
    prompt: '[sim:text=Hello from Claude]',
  })
  expect(text).toBe('Hello from Claude')
  expect(finishReason).toBe('stop')
  expect(usage.outputTokens).toBeGreaterThan(0)
})

test('streamText streams the text in pieces', async () => {
  const result = streamText({ model, prompt: '[sim:text=A story in small pieces][sim:deltas=5]' })
  const pieces: string[] = []
  for await (const piece of result.textStream) pieces.push(piece)
  expect(pieces.join('')).toBe('A story in small pieces')
  expect(pieces.length).toBeGreaterThan(1)
  expect((await result.usage).outputTokens).toBeGreaterThan(0)
})

test('a tool is called, run, and its result answered', async () => {
  const { steps, text } = await generateText({
    model,
    prompt: 'Please call get_weather',
    tools: { get_weather: getWeather },
    stopWhen: stepCountIs(3),
  })
  expect(steps).toHaveLength(2)
  expect(steps[0]?.toolResults[0]?.output).toMatch(/^Sunny in /)
  expect(text).not.toBe('')
})

test('a tool is called from a stream too', async () => {
  const result = streamText({
    model,
    prompt: 'Please call get_weather',
    tools: { get_weather: getWeather },
    stopWhen: stepCountIs(3),
  })
  await result.consumeStream()
  expect(await result.steps).toHaveLength(2)
})

test('abort in mid-stream ends the call to Claude', async () => {
  const tag = newTag()
  const leave = new AbortController()
  const result = streamText({
    model,
    prompt: '[sim:tokens=2000][sim:gap=20]',
    maxOutputTokens: 4_000,
    headers: { 'anthropic-sim-tag': tag },
    abortSignal: leave.signal,
    onError: () => {},
  })
  for await (const _ of result.textStream) {
    leave.abort()
    break
  }
  expect((await journal.one(tag)).outcome).toBe('aborted')
})

test('an error has its status, message and type', async () => {
  const call = generateText({
    model: anthropic('claude-unheard-of-9'),
    prompt: 'Hello',
    maxRetries: 0,
  })
  await expect(call).rejects.toThrow(APICallError)
  await expect(call).rejects.toMatchObject({
    statusCode: 404,
    isRetryable: false,
    message: expect.stringContaining('claude-unheard-of-9') as string,
  })
})
