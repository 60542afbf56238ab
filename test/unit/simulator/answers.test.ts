// What is answered: streams and plain answers of one plan, markers, tools, thinking, seeds.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { startSimulator } from '../../../tools/simulator/server.ts'
import { estimateTokens } from '../../../tools/simulator/tokens.ts'
import { ask, post, readEvents, simulatorForFile } from './support.ts'

const RECORDED = '../shared/data/claude-api-captures/sse'
const running = await simulatorForFile()

interface Message {
  id: string
  content: { type: string; text?: string; input?: Record<string, unknown>; name?: string }[]
  stop_reason: string
  stop_sequence: string | null
  stop_details: unknown
  usage: Record<string, number>
}

async function message(text: string, extra: Record<string, unknown> = {}): Promise<Message> {
  return (await (await post(running, ask(text, extra))).json()) as Message
}

async function events(text: string, extra: Record<string, unknown> = {}, fault = '') {
  const sent = fault === '' ? {} : { headers: { 'anthropic-sim-fault': fault } }
  return readEvents(await (await post(running, ask(text, { stream: true, ...extra }), sent)).text())
}

const textOf = (answer: Message) => answer.content.map((block) => block.text ?? '').join('')

describe('an answer', () => {
  it('is the same text streamed and plain, with the same usage', async () => {
    const plain = await message('Tell me about rivers in Österreich')
    const streamed = await events('Tell me about rivers in Österreich')
    const text = streamed
      .filter((one) => one.event === 'content_block_delta')
      .map((one) => (one.data as unknown as { delta: { text: string } }).delta.text)
    expect(text.join('')).toBe(textOf(plain))
    expect(text.length).toBeGreaterThan(2)
    const last = streamed.find((one) => one.event === 'message_delta')
    expect(last?.data).toMatchObject({
      delta: { stop_reason: 'end_turn' },
      usage: { output_tokens: plain.usage['output_tokens'] },
    })
  })

  it('varies with the prompt and carries characters that are not ASCII', async () => {
    const texts = new Set<string>()
    for (let i = 0; i < 40; i++) texts.add(textOf(await message(`question number ${i}`)))
    expect(texts.size).toBe(40)
    expect([...texts].some((text) => /[^\p{ASCII}]/u.test(text))).toBe(true)
  })

  it('counts its tokens by the documented tokenizer', async () => {
    const answer = await message('x'.repeat(401), { system: 'abcd' })
    expect(answer.usage['input_tokens']).toBe(102)
    expect(answer.usage['output_tokens']).toBe(estimateTokens(textOf(answer)))
  })

  it('stops at max_tokens', async () => {
    const answer = await message('[sim:tokens=300]', { max_tokens: 20 })
    expect(answer).toMatchObject({ stop_reason: 'max_tokens', usage: { output_tokens: 20 } })
    expect(estimateTokens(textOf(answer))).toBe(20)
  })

  it('stops before the first stop sequence', async () => {
    const extra = { stop_sequences: ['never', 'END'] }
    const answer = await message('[sim:text=one END two]', extra)
    expect(textOf(answer)).toBe('one ')
    expect(answer).toMatchObject({ stop_reason: 'stop_sequence', stop_sequence: 'END' })
    expect((await message('go [sim:stop]', extra)).stop_sequence).toBe('never')
  })

  it.each([1, 7, 64, 1_000])(
    'has exactly %i tokens where the marker asks for them',
    async (tokens) => {
      const answer = await message(`[sim:tokens=${tokens}]`, { max_tokens: 2_000 })
      expect(answer.usage['output_tokens']).toBe(tokens)
    },
  )

  it('refuses a marked prompt', async () => {
    expect(await message('[sim:refuse]')).toMatchObject({
      stop_reason: 'refusal',
      stop_details: { type: 'refusal' },
    })
  })

  it('thinks, signs what it thought and takes it back', async () => {
    const thinking = { type: 'enabled', budget_tokens: 1_024 }
    const extra = { thinking, max_tokens: 2_000 }
    const first = await message('plan a trip [sim:redacted]', extra)
    expect(first.content.map((block) => block.type)).toEqual([
      'thinking',
      'redacted_thinking',
      'text',
    ])
    const back = await post(running, {
      ...ask('', extra),
      messages: [
        { role: 'user', content: 'plan a trip' },
        { role: 'assistant', content: first.content },
        { role: 'user', content: 'go on' },
      ],
    })
    expect(back.status).toBe(200)
    const streamed = await events('plan a trip', extra)
    const kinds = streamed.map((one) => (one.data as { delta?: { type: string } }).delta?.type)
    expect(kinds).toContain('thinking_delta')
    expect(kinds.filter((kind) => kind === 'signature_delta')).toHaveLength(1)
  })

  it('cites documents where asked', async () => {
    const source = { type: 'text', media_type: 'text/plain', data: 'The sky is blue.' }
    const content = [
      { type: 'document', source },
      { type: 'text', text: 'why? [sim:cite]' },
    ]
    const body = { ...ask(''), messages: [{ role: 'user', content }] }
    const answer = (await (await post(running, body)).json()) as Message
    expect(answer.content[0]).toMatchObject({ citations: [{ cited_text: 'The sky is blue.' }] })
  })

  it('fits a JSON schema where the output has a format', async () => {
    const schema = {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer', minimum: 3, maximum: 5 } },
      required: ['city', 'days'],
    }
    const answer = await message('plan', {
      output_config: { format: { type: 'json_schema', schema } },
    })
    const value = JSON.parse(textOf(answer)) as { city: string; days: number }
    expect(typeof value.city).toBe('string')
    expect([3, 4, 5]).toContain(value.days)
  })
})

const WEATHER = {
  name: 'get_weather',
  input_schema: {
    type: 'object',
    properties: { city: { type: 'string' }, unit: { enum: ['c', 'f'] } },
    required: ['city', 'unit'],
  },
}

describe('tools', () => {
  it.each([
    ['the marker', '[sim:tool]', {}],
    ['the choice of any', 'hello', { tool_choice: { type: 'any' } }],
    ['the choice of one', 'hello', { tool_choice: { type: 'tool', name: 'get_weather' } }],
    ['its name in the prompt', 'please use get_weather', {}],
  ])('are called by %s, with what their schema requires', async (_by, text, extra) => {
    const answer = await message(text, { tools: [WEATHER], ...extra })
    expect(answer.stop_reason).toBe('tool_use')
    const call = answer.content.find((block) => block.type === 'tool_use')
    expect(call?.name).toBe('get_weather')
    expect(typeof call?.input?.['city']).toBe('string')
    expect(['c', 'f']).toContain(call?.input?.['unit'])
  })

  it('are not called when the choice is none, and now and then when it is free', async () => {
    const none = { tools: [WEATHER], tool_choice: { type: 'none' } }
    expect((await message('[sim:tool]', none)).stop_reason).toBe('end_turn')
    const reasons = new Map<string, number>()
    for (let i = 0; i < 60; i++) {
      const { stop_reason: reason } = await message(`question ${i}`, { tools: [WEATHER] })
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    }
    expect(reasons.get('tool_use')).toBeGreaterThan(2)
    expect(reasons.get('end_turn')).toBeGreaterThan(30)
  })

  it('stream their input in pieces that join to JSON', async () => {
    const streamed = await events('[sim:tool]', { tools: [WEATHER] })
    const pieces = streamed.flatMap((one) => {
      const delta = (one.data as { delta?: { partial_json?: string } }).delta
      return delta?.partial_json === undefined ? [] : [delta.partial_json]
    })
    expect(pieces.length).toBeGreaterThan(2)
    expect(JSON.parse(pieces.join(''))).toHaveProperty('city')
  })
})

describe('a stream', () => {
  it("has Claude's order of events, pings, and padding inside most data lines", async () => {
    const streamed = await events('[sim:tokens=400]')
    const names = streamed.map((one) => one.event).filter((name) => name !== 'ping')
    expect(names[0]).toBe('message_start')
    expect(names[1]).toBe('content_block_start')
    expect(names.slice(-3)).toEqual(['content_block_stop', 'message_delta', 'message_stop'])
    expect(streamed.some((one) => one.event === 'ping')).toBe(true)
    const padded = streamed.filter((one) => / +\}$/.test(one.raw)).length
    expect(padded / streamed.length).toBeGreaterThan(0.7)
  })

  it('starts with the input usage and one token, and ends with the sum', async () => {
    const streamed = await events('hello there')
    expect(streamed[0]?.data).toMatchObject({
      message: { usage: { input_tokens: 3, output_tokens: 1, service_tier: 'standard' } },
    })
  })

  it('brings unknown events and deltas on request, and pings as often as asked', async () => {
    expect((await events('x', {}, 'unknown')).map((one) => one.event)).toContain('sim_unknown')
    const deltas = await events('x', {}, 'unknown=delta')
    expect(deltas.some((one) => one.raw.includes('sim_delta'))).toBe(true)
    const pings = await events('[sim:deltas=10][sim:tokens=50]', {}, 'ping=1')
    expect(pings.filter((one) => one.event === 'ping').length).toBeGreaterThanOrEqual(12)
  })

  it('stamps each delta with the time of its writing, not of its making', async () => {
    const startedAt = Date.now()
    const streamed = await events('[sim:deltas=5][sim:tokens=40][sim:gap=20][sim:stamp]')
    const stamps = streamed
      .map((one) => (one.data as { delta?: { text?: string } }).delta?.text ?? '')
      .flatMap((text) => (text.startsWith('t=') ? [Number(text.slice(2))] : []))
    expect(stamps).toHaveLength(5)
    for (const [index, stamp] of stamps.entries()) {
      expect(stamp - startedAt).toBeGreaterThan((index + 1) * 20 - 3)
    }
  })

  it('has exactly as many deltas as asked, at the gap asked for', async () => {
    const startedAt = performance.now()
    const streamed = await events('[sim:deltas=20][sim:tokens=100][sim:gap=10]')
    const deltas = streamed.filter((one) => one.event === 'content_block_delta')
    expect(deltas).toHaveLength(20)
    expect(performance.now() - startedAt).toBeGreaterThan(190)
  })

  it.skipIf(!existsSync(RECORDED))(
    'uses only kinds of events that were recorded (skipped without ../shared/data)',
    async () => {
      const files = readdirSync(RECORDED).map((name) => readFileSync(`${RECORDED}/${name}`, 'utf8'))
      const lines = files.join('\n').split('\n')
      const seen = lines.filter((line) => line.startsWith('event: ')).map((line) => line.slice(7))
      for (const one of await events('[sim:tokens=50]')) expect(seen).toContain(one.event)
    },
  )
})

describe('a seed', () => {
  it('gives the same run: bodies, ids and headers', async () => {
    const run = async (seed: string) => {
      const own = await startSimulator({ seed })
      const seen: unknown[] = []
      for (let i = 0; i < 5; i++) {
        const answer = await post(own, ask(`question ${i}`, { stream: i % 2 === 1 }))
        seen.push([
          answer.headers.get('request-id'),
          answer.headers.get('cf-ray'),
          await answer.text(),
        ])
      }
      await own.close()
      return seen
    }
    const first = await run('one')
    expect(await run('one')).toEqual(first)
    expect(await run('two')).not.toEqual(first)
  })

  it('gives the same faults by probability', async () => {
    const run = async () => {
      const own = await startSimulator({ seed: 's', faultRate: 0.3, faultMix: ['529', '500'] })
      const statuses: number[] = []
      for (let i = 0; i < 60; i++) statuses.push((await post(own, ask('x'))).status)
      await own.close()
      return statuses
    }
    const first = await run()
    expect(first.filter((status) => status !== 200).length).toBeGreaterThan(8)
    expect(first.filter((status) => status !== 200).length).toBeLessThan(30)
    expect(await run()).toEqual(first)
  })
})
