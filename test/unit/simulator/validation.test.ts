// What is refused, and in which words. Each row is one request that differs from a sound one.
import { describe, expect, it } from 'vitest'
import { sealRedacted, signThinking } from '../../../tools/simulator/signature.ts'
import { ask, headers, MODEL, post, simulatorForFile } from './support.ts'

const running = await simulatorForFile()

const TOOL = { name: 'look', input_schema: { type: 'object', properties: {} } }
const MARK = { cache_control: { type: 'ephemeral' } }
const call = (id: string) => ({ type: 'tool_use', id, name: 'look', input: {} })
const result = (id: string) => ({ type: 'tool_result', tool_use_id: id, content: 'ok' })
const user = (content: unknown) => ({ role: 'user', content })
const assistant = (content: unknown) => ({ role: 'assistant', content })

type Row = [
  what: string,
  change: Record<string, unknown>,
  message: string | RegExp,
  status?: number,
]

const REFUSED: Row[] = [
  ['no model', { model: undefined }, 'model: Field required'],
  ['a model that is no text', { model: 5 }, 'model: Input should be a valid string'],
  ['an unknown model', { model: 'claude-none' }, 'model: claude-none', 404],
  ['no max_tokens', { max_tokens: undefined }, 'max_tokens: Field required'],
  ['max_tokens as text', { max_tokens: '5' }, 'max_tokens: Input should be a valid integer'],
  ['negative max_tokens', { max_tokens: -1 }, /max_tokens: Input should be greater than or equal/],
  ['too many max_tokens', { max_tokens: 999_999 }, /^max_tokens: 999999 > 128000, which is/],
  ['no messages', { messages: undefined }, 'messages: Field required'],
  ['messages as text', { messages: 'hi' }, 'messages: Input should be a valid list'],
  ['empty messages', { messages: [] }, 'messages: at least one message is required'],
  ['a message as text', { messages: ['hi'] }, 'messages.0: Input should be a valid dictionary'],
  ['an unknown role', { messages: [{ role: 'bot', content: 'x' }] }, /Unexpected role "bot"/],
  ['no content', { messages: [{ role: 'user' }] }, 'messages.0.content: Field required'],
  ['empty text', { messages: [user('')] }, /messages.0: all messages must have non-empty content/],
  [
    'an empty text block',
    { messages: [user([{ type: 'text', text: '' }])] },
    'messages: text content blocks must be non-empty',
  ],
  [
    'a marker on an empty block',
    { messages: [user([{ type: 'text', text: '', ...MARK }])] },
    'messages.0.content.0.text: cache_control cannot be set for empty text blocks',
  ],
  [
    'a block without text',
    { messages: [user([{ type: 'text' }])] },
    'messages.0.content.0.text.text: Field required',
  ],
  [
    'an unanswered tool call',
    { messages: [user('a'), assistant([call('t1')]), user('b')] },
    'messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t1. Each `tool_use` block must have a corresponding `tool_result` block in the next message.',
  ],
  [
    'a result without its call',
    { messages: [user('a'), assistant('b'), user([result('t9')])] },
    'messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks: t9. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.',
  ],
  [
    'a forged thinking signature',
    { messages: [user('a'), assistant([{ type: 'thinking', thinking: 'x', signature: 'y' }])] },
    'messages.1.content.0: Invalid `signature` in `thinking` block',
  ],
  [
    'a changed thinking text',
    {
      messages: [
        user('a'),
        assistant([{ type: 'thinking', thinking: 'b', signature: signThinking('a', 'n') }]),
      ],
    },
    'messages.1.content.0: Invalid `signature` in `thinking` block',
  ],
  [
    'forged redacted thinking',
    { messages: [user('a'), assistant([{ type: 'redacted_thinking', data: 'zzz' }])] },
    /Invalid `data` in `redacted_thinking` block/,
  ],
  [
    'a fifth cache marker',
    { system: [1, 2, 3, 4, 5].map((n) => ({ type: 'text', text: `s${n}`, ...MARK })) },
    'A maximum of 4 blocks with cache_control may be provided. Found 5.',
  ],
  [
    'a top-level marker beside four',
    { ...MARK, system: [1, 2, 3, 4].map((n) => ({ type: 'text', text: `s${n}`, ...MARK })) },
    'A maximum of 4 blocks with cache_control may be provided. Found 5.',
  ],
  ['an unknown field', { colour: 'red' }, 'colour: Extra inputs are not permitted'],
  ['a thread without its beta', { thread: { type: 'create' } }, /thread: Extra inputs/],
  [
    'a wrong temperature',
    { temperature: 2 },
    'temperature: Input should be less than or equal to 1',
  ],
  ['stream as text', { stream: 'yes' }, 'stream: Input should be a valid boolean'],
  ['a tool choice alone', { tool_choice: { type: 'any' } }, /tool_choice may only be specified/],
  [
    'a choice of no known tool',
    { tools: [TOOL], tool_choice: { type: 'tool', name: 'other' } },
    "tool_choice.tool.name: Tool 'other' not found in provided tools",
  ],
  [
    'a tool without schema',
    { tools: [{ name: 'x' }] },
    'tools.0.custom.input_schema: Field required',
  ],
  ['two tools of one name', { tools: [TOOL, TOOL] }, 'tools: Tool names must be unique.'],
  [
    'a small thinking budget',
    { thinking: { type: 'enabled', budget_tokens: 10 } },
    'thinking.enabled.budget_tokens: Input should be greater than or equal to 1024',
  ],
  [
    'a thinking budget above max_tokens',
    { thinking: { type: 'enabled', budget_tokens: 2_000 } },
    /`max_tokens` must be greater than `thinking.budget_tokens`/,
  ],
]

describe('a Messages request is refused for', () => {
  it.each(REFUSED)('%s', async (_what, change, message, status = 400) => {
    const answer = await post(running, ask('hello', change))
    const body = (await answer.json()) as { type: string; error: { type: string; message: string } }
    expect(answer.status).toBe(status)
    expect(body.type).toBe('error')
    expect(body.error.type).toBe(status === 404 ? 'not_found_error' : 'invalid_request_error')
    if (typeof message === 'string') expect(body.error.message).toBe(message)
    else expect(body.error.message).toMatch(message)
  })
})

const ACCEPTED: [what: string, change: Record<string, unknown>][] = [
  ['sampling fields of the old version', { temperature: 0.5, top_p: 0.9, top_k: 5 }],
  [
    'four cache markers',
    { system: [1, 2, 3, 4].map(() => ({ type: 'text', text: 's', ...MARK })) },
  ],
  ['an answered tool call', { messages: [user('a'), assistant([call('t')]), user([result('t')])] }],
  [
    'thinking blocks of its own',
    {
      messages: [
        user('a'),
        assistant([
          { type: 'thinking', thinking: 'm', signature: signThinking('m', 'n') },
          { type: 'redacted_thinking', data: sealRedacted('n') },
          { type: 'text', text: 'b' },
        ]),
        user('c'),
      ],
    },
  ],
  [
    'a system message in the conversation',
    { messages: [user('a'), { role: 'system', content: 's' }] },
  ],
  ['images', { messages: [user([{ type: 'image', source: { type: 'url', url: 'https://x' } }])] }],
  ['a block of an unknown kind', { messages: [user([{ type: 'novelty', value: 1 }])] }],
  ['neighbours of one role', { messages: [user('a'), user('b')] }],
]

describe('a Messages request is accepted with', () => {
  it.each(ACCEPTED)('%s', async (_what, change) => {
    const answer = await post(running, ask('hello', change))
    expect(await answer.json()).toMatchObject({ type: 'message' })
  })
})

describe('the API version', () => {
  it('is required', async () => {
    const { 'anthropic-version': _none, ...rest } = headers()
    const url = `${running.url}/v1/messages`
    const answer = await fetch(url, {
      method: 'POST',
      headers: rest,
      body: JSON.stringify(ask('x')),
    })
    expect(answer.status).toBe(400)
    expect(await answer.text()).toContain('anthropic-version: header is required')
  })

  it('of October 2026 knows no sampling fields, betas or not', async () => {
    for (const field of ['temperature', 'top_p', 'top_k']) {
      for (const beta of [{}, { 'anthropic-beta': 'some-beta' }]) {
        const sent = { headers: { 'anthropic-version': '2026-10-21', ...beta } }
        const answer = await post(running, ask('x', { [field]: 1 }), sent)
        expect(answer.status).toBe(400)
        expect(await answer.text()).toContain(`${field}: Extra inputs are not permitted`)
      }
    }
  })

  it('that nobody knows is refused', async () => {
    const answer = await post(running, ask('x'), { headers: { 'anthropic-version': '2020-01-01' } })
    expect(answer.status).toBe(400)
  })
})

describe('other refusals', () => {
  it('let unknown fields pass once a beta is named', async () => {
    const sent = { headers: { 'anthropic-beta': 'novel-2026-11-01' } }
    expect((await post(running, ask('x', { novelty: { a: 1 } }), sent)).status).toBe(200)
  })

  it.each([
    ['', 401],
    ['sk-ant-sim-invalid', 401],
    ['sk-ant-sim-forbidden', 403],
    ['anything', 200],
  ])('judge the key %j with %i', async (key, status) => {
    const answer = await post(running, ask('x'), { headers: { 'x-api-key': key } })
    expect(answer.status).toBe(status)
    await answer.text()
  })

  it('take a bearer token as a key', async () => {
    const sent = { headers: { 'x-api-key': '', authorization: 'Bearer sk-ant-sim-acme' } }
    expect((await post(running, ask('x'), sent)).status).toBe(200)
  })

  it.each(['{', '[]', '"text"', '{"model": "\ud800"', '\u0000'])(
    'refuse the body %j',
    async (body) => {
      expect((await post(running, body)).status).toBe(400)
    },
  )

  it('refuse bytes that are not UTF-8', async () => {
    const answer = await fetch(`${running.url}/v1/messages`, {
      method: 'POST',
      headers: headers(),
      body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]),
    })
    expect(answer.status).toBe(400)
  })

  it('answer 413 above 32 MB, announced or not', async () => {
    const text = 'x'.repeat(33 * 1024 * 1024)
    const announced = await post(running, ask(text))
    expect(announced.status).toBe(413)
    const chunked = await fetch(`${running.url}/v1/messages`, {
      method: 'POST',
      headers: headers(),
      body: new Blob([JSON.stringify(ask(text))]).stream(),
      duplex: 'half',
    } as RequestInit)
    expect(chunked.status).toBe(413)
    expect(await chunked.json()).toMatchObject({ error: { type: 'request_too_large' } })
  })

  it('answer 404 for paths and 405 for methods that are not there', async () => {
    expect((await fetch(`${running.url}/v1/nothing`, { headers: headers() })).status).toBe(404)
    expect((await fetch(`${running.url}/v1/messages`, { headers: headers() })).status).toBe(405)
  })

  it('answer a prompt that is too long for the model', async () => {
    const body = { ...ask('x'.repeat(900_000)), model: 'claude-haiku-4-5' }
    const answer = await post(running, body)
    expect(await answer.json()).toMatchObject({
      error: { message: 'prompt is too long: 225000 tokens > 200000 maximum' },
    })
  })

  it('count tokens without max_tokens, and refuse them with it', async () => {
    const { max_tokens: _none, ...body } = ask('12345678')
    const counted = await post(running, body, { path: '/v1/messages/count_tokens' })
    expect(await counted.json()).toEqual({ input_tokens: 2 })
    const refused = await post(running, ask('x'), { path: '/v1/messages/count_tokens' })
    expect(refused.status).toBe(400)
  })

  it('answer the hello of Claude Code without a key', async () => {
    expect((await fetch(`${running.url}/api/hello`, { method: 'HEAD' })).status).toBe(200)
  })

  it('page the models', async () => {
    const get = async (query: string) =>
      (await (await fetch(`${running.url}/v1/models${query}`, { headers: headers() })).json()) as {
        data: { id: string }[]
        has_more: boolean
        last_id: string
      }
    const all = await get('?limit=1000')
    expect(all.has_more).toBe(false)
    expect(all.data.map((model) => model.id)).toContain(MODEL)
    const first = await get('?limit=3')
    const second = await get(`?limit=3&after_id=${first.last_id}`)
    expect([...first.data, ...second.data]).toEqual(all.data.slice(0, 6))
    const before = await get(`?limit=2&before_id=${all.data[5]?.id}`)
    expect(before.data).toEqual(all.data.slice(3, 5))
  })
})
