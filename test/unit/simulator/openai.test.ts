// The OpenAI-compatible route, by the official OpenAI client.
import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { ask, MODEL, post, simulatorForFile } from './support.ts'

const running = await simulatorForFile()
const client = new OpenAI({
  apiKey: 'sk-ant-sim-openai',
  baseURL: `${running.url}/v1`,
  maxRetries: 0,
})
const messages = [
  { role: 'system' as const, content: 'be brief' },
  { role: 'user' as const, content: 'Tell me about tides' },
]
const tools = [
  {
    type: 'function' as const,
    function: {
      name: 'look',
      parameters: { type: 'object', properties: { at: { type: 'string' } }, required: ['at'] },
    },
  },
]

describe('a chat completion', () => {
  it('is the same text whole and in chunks, with usage where asked', async () => {
    const whole = await client.chat.completions.create({ model: MODEL, messages })
    expect(whole).toMatchObject({
      object: 'chat.completion',
      choices: [{ finish_reason: 'stop', message: { role: 'assistant' } }],
    })
    const stream = await client.chat.completions.create({
      model: MODEL,
      messages,
      stream: true,
      stream_options: { include_usage: true },
    })
    let text = ''
    let usage: unknown
    for await (const chunk of stream) {
      expect(chunk.object).toBe('chat.completion.chunk')
      text += chunk.choices[0]?.delta.content ?? ''
      usage = chunk.usage ?? usage
    }
    expect(text).toBe(whole.choices[0]?.message.content)
    expect(usage).toEqual(whole.usage)
  })

  it('ends its stream with [DONE] and sends no usage unasked', async () => {
    const body = { ...ask('hi'), stream: true }
    const text = await (await post(running, body, { path: '/v1/chat/completions' })).text()
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
    expect(text).not.toContain('"usage"')
  })

  it('calls tools and takes their results', async () => {
    const asked = { role: 'user' as const, content: 'please [sim:tool]' }
    const first = await client.chat.completions.create({ model: MODEL, messages: [asked], tools })
    const call = first.choices[0]?.message.tool_calls?.[0]
    expect(first.choices[0]?.finish_reason).toBe('tool_calls')
    if (call?.type !== 'function') throw new Error('no call')
    expect(JSON.parse(call.function.arguments)).toHaveProperty('at')
    const second = await client.chat.completions.create({
      model: MODEL,
      tools,
      messages: [
        asked,
        { role: 'assistant', tool_calls: [call] },
        { role: 'tool', tool_call_id: call.id, content: 'found' },
      ],
    })
    expect(second.choices[0]?.finish_reason).toBe('stop')
  })

  it('stops at a length and at a stop word', async () => {
    const cut = await client.chat.completions.create({
      model: MODEL,
      max_tokens: 5,
      messages: [{ role: 'user', content: '[sim:tokens=50]' }],
    })
    expect(cut.choices[0]?.finish_reason).toBe('length')
    const stopped = await client.chat.completions.create({
      model: MODEL,
      stop: 'END',
      messages: [{ role: 'user', content: '[sim:text=a END b]' }],
    })
    expect(stopped.choices[0]?.message.content).toBe('a ')
  })

  it('refuses in the shape that OpenAI clients read', async () => {
    const answer = await post(
      running,
      { model: 'none', messages },
      { path: '/v1/chat/completions' },
    )
    expect(answer.status).toBe(404)
    expect(await answer.json()).toEqual({
      error: { code: null, message: 'model: none', type: 'not_found_error', param: null },
    })
    const wrong = client.chat.completions.create({ model: 'none', messages })
    await expect(wrong).rejects.toThrow(OpenAI.NotFoundError)
  })

  it('counts in the same books and limits as messages do', async () => {
    running.sim.limits.configure('openai', '*', { requests_per_minute: 1 })
    await client.chat.completions.create({ model: MODEL, messages })
    const over = client.chat.completions.create({ model: MODEL, messages })
    await expect(over).rejects.toThrow(OpenAI.RateLimitError)
    expect(running.sim.usage.view()).toMatchObject({ data: [{ org: 'openai', requests: 1 }] })
  })
})
