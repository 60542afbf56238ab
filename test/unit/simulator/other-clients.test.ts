// Other clients that people use, unmodified: an older SDK, the AI SDK, LangChain.
import { createAnthropic } from '@ai-sdk/anthropic'
import { ChatAnthropic } from '@langchain/anthropic'
import { generateText, jsonSchema, streamText, tool, type ToolSet } from 'ai'
import AnthropicOld from 'anthropic-sdk-0'
import { describe, expect, it } from 'vitest'
import { MODEL, simulatorForFile } from './support.ts'

const running = await simulatorForFile()

describe('the SDK before 1.0', () => {
  it('creates, streams and runs tools', async () => {
    const client = new AnthropicOld({
      apiKey: 'sk-ant-sim-old',
      baseURL: running.url,
      maxRetries: 0,
    })
    const params = {
      model: MODEL,
      max_tokens: 200,
      messages: [{ role: 'user' as const, content: 'Tell me about tides' }],
    }
    const message = await client.messages.create(params)
    const streamed = await client.messages.stream(params).finalMessage()
    expect(streamed.content).toEqual(message.content)
    const [entry] = running.journal.list()
    expect(entry?.rawHeaders.map((name) => name.toLowerCase())).toContain('x-api-key')
  })
})

describe('the AI SDK', () => {
  const anthropic = createAnthropic({ apiKey: 'sk-ant-sim-ai', baseURL: `${running.url}/v1` })

  it('generates, streams and calls tools', async () => {
    const model = anthropic(MODEL)
    const plain = await generateText({ model, prompt: 'Tell me about tides' })
    expect(plain.text.length).toBeGreaterThan(10)
    const stream = streamText({ model, prompt: 'Tell me about tides' })
    expect(await stream.text).toBe(plain.text)
    const look = tool({
      inputSchema: jsonSchema<{ at: string }>({
        type: 'object',
        properties: { at: { type: 'string' } },
        required: ['at'],
      }),
    })
    const called = await generateText({
      model,
      prompt: 'go [sim:tool]',
      tools: { look } as unknown as ToolSet,
    })
    expect(called.toolCalls[0]?.input).toHaveProperty('at')
  })
})

describe('LangChain', () => {
  it('invokes and streams', async () => {
    const model = new ChatAnthropic({
      apiKey: 'sk-ant-sim-chain',
      anthropicApiUrl: running.url,
      model: MODEL,
      maxTokens: 200,
      maxRetries: 0,
    })
    const plain = await model.invoke('Tell me about tides')
    let text = ''
    for await (const chunk of await model.stream('Tell me about tides')) text += chunk.text
    expect(text).toBe(plain.text)
  })
})
