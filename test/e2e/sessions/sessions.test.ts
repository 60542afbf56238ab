// Conversations kept here: whole turns, one at a time, in one store round trip, by their owners only.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JournalEntry } from '../../../tools/simulator/journal.ts'
import { claudeCall, errorOf, eventsOf } from '../../support/claude-call.ts'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { leave, open, type RawAnswer, send } from '../../support/raw-http.ts'
import { addTenant } from '../../support/tenants.ts'

let gateway: TestGateway
let key: string

beforeAll(async () => {
  gateway = await startTestGateway({
    settings: { SLUICE_RETRY_ATTEMPTS: 1, SLUICE_REDIS_TIMEOUT_MS: 1_000 },
  })
  key = gateway.keys.enterprise
})
afterAll(() => gateway.stop())

interface Ask {
  readonly session?: string
  readonly fields?: Readonly<Record<string, unknown>>
  readonly fault?: string
  readonly tag?: string
  readonly by?: string
  readonly headers?: readonly (readonly [string, string])[]
}

const chat = (message: unknown, { session, fields, by = key, ...more }: Ask = {}) =>
  claudeCall({
    key: by,
    path: '/v1/chat',
    body: JSON.stringify({
      message,
      model: 'claude-haiku-5-5',
      max_tokens: 50,
      ...(session === undefined ? {} : { session_id: session }),
      ...fields,
    }),
    ...more,
  })

const say = (message: unknown, ask: Ask = {}): Promise<RawAnswer> =>
  send(gateway.url, chat(message, ask))

const sessionOf = ({ headers }: RawAnswer): string => String(headers['sluice-session'])

const get = (path: string, by = key, method = 'GET', body?: object): Promise<RawAnswer> =>
  send(gateway.url, {
    method,
    path,
    headers: [['x-api-key', by]],
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })

interface Shown {
  readonly turns: number
  readonly messages: readonly { readonly role: string; readonly content: unknown }[]
}

const shown = async (session: string): Promise<Shown> =>
  JSON.parse((await get(`/v1/sessions/${session}`)).body.toString()) as Shown

/** What reached Claude under a tag. */
const sentBy = (tag: string): readonly JournalEntry[] =>
  gateway.simulator.journal.list({ tag }).filter(({ path }) => path === '/v1/messages')

const messagesSent = (entry: JournalEntry | undefined): Shown['messages'] =>
  (JSON.parse(String(entry?.body ?? '{}')) as Shown).messages

const keysLeft = async (part: string): Promise<unknown> => {
  const answer = await fetch(gateway.redisUrl, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.redisToken}` },
    body: JSON.stringify(['KEYS', `*${part}*`]),
  })
  return ((await answer.json()) as { result: unknown }).result
}

describe('a conversation', () => {
  it('goes on from turn to turn, streamed or not, each turn sent with all before it', async () => {
    const first = await say('one', { fields: { system: 'Be brief.' }, tag: 'walk-1' })
    expect(first.status).toBe(200)
    expect(first.headers['sluice-turn']).toBe('1')
    const session = sessionOf(first)
    expect(session).toMatch(/^ses_[\da-f]{32}$/)
    const second = await say('two', { session, fields: { stream: true }, tag: 'walk-2' })
    expect(second.headers).toMatchObject({ 'sluice-session': session, 'sluice-turn': '2' })
    expect(eventsOf(second.body).at(-1)?.event).toBe('message_stop')
    const third = await send(
      gateway.url,
      claudeCall({ key, prompt: 'three', headers: [['sluice-session', session]], tag: 'walk-3' }),
    )
    expect(third.status).toBe(200)
    const [sent] = sentBy('walk-3')
    const messages = messagesSent(sent)
    expect(messages.map(({ role }) => role)).toEqual([
      'user',
      'assistant',
      'user',
      'assistant',
      'user',
    ])
    expect(messages[1]?.content).toEqual(
      (JSON.parse(first.body.toString()) as { content: unknown }).content,
    )
    expect(JSON.parse(String(sent?.body ?? '{}'))).toMatchObject({ system: 'Be brief.' })
    expect(await shown(session)).toMatchObject({ turns: 3, system: 'Be brief.' })
  })

  it('needs a key and a message, and nothing else', async () => {
    const answer = await send(gateway.url, {
      method: 'POST',
      path: '/v1/chat',
      headers: [
        ['x-api-key', key],
        ['content-type', 'application/json'],
      ],
      body: JSON.stringify({ message: 'hello' }),
    })
    expect(answer.status, answer.body.toString()).toBe(200)
    expect(JSON.parse(answer.body.toString())).toMatchObject({ type: 'message' })
  })

  it('keeps tool use, thinking and signatures so that Claude takes the next turn', async () => {
    const tools = [{ name: 'look', input_schema: { type: 'object' } }]
    const fields = {
      tools,
      stream: true,
      max_tokens: 4000,
      thinking: { type: 'enabled', budget_tokens: 1024 },
    }
    const first = await say('use it [sim:tool] [sim:thinking]', { fields })
    const session = sessionOf(first)
    const { messages } = await shown(session)
    const blocks = messages[1]?.content as { type: string; id?: string }[]
    expect(blocks.map(({ type }) => type)).toEqual(expect.arrayContaining(['thinking', 'tool_use']))
    const use = blocks.find(({ type }) => type === 'tool_use')
    const result = [{ type: 'tool_result', tool_use_id: use?.id, content: 'found' }]
    const second = await say(result, { session, fields })
    expect(second.status).toBe(200)
    expect((await shown(session)).turns).toBe(2)
  })

  it('asks for one store round trip before Claude, and one to keep the turn', async () => {
    const session = sessionOf(await say('warm'))
    await say('warmer', { session })
    const before = gateway.redis.stats().http_requests
    expect((await say('count', { session })).status).toBe(200)
    expect(gateway.redis.stats().http_requests - before).toBe(2)
  })
})

describe('turns at once', () => {
  it('are one winner; the rest are refused before any call is made for them', async () => {
    const session = sessionOf(await say('begin'))
    for (let round = 0; round < 50; round += 1) {
      const tag = `race-${round}`
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, at) => say(`r${round} t${at}`, { session, tag })),
      )
      const won = answers.filter(({ status }) => status === 200)
      const lost = answers.filter(({ status }) => status !== 200)
      expect(won.length).toBeGreaterThan(0)
      expect(sentBy(tag)).toHaveLength(won.length)
      for (const answer of lost) {
        expect(answer.status).toBe(409)
        expect(answer.headers).toMatchObject({
          'sluice-reason': 'session_busy',
          'retry-after': '1',
          'x-should-retry': 'true',
        })
      }
    }
    const { turns, messages } = await shown(session)
    expect(messages).toHaveLength(2 * turns)
    expect(new Set(messages.map((message) => JSON.stringify(message))).size).toBe(2 * turns)
    await say('last', { session, tag: 'race-end' })
    expect(messagesSent(sentBy('race-end')[0]).slice(0, -1)).toEqual(messages)
  })
})

describe('a turn that does not end well', () => {
  it.each([
    ['refused by Claude', '529', false],
    ['cut before its first event', 'truncate;after=0', true],
    ['cut in the middle', 'truncate;after=5', true],
    ['ended by an error event', 'error;after=4', true],
    ['broken', 'bad-json', false],
  ])('%s leaves no trace', async (_, fault, stream) => {
    const session = sessionOf(await say('begin'))
    await say('fails', { session, fault, fields: { stream } })
    const { turns } = await shown(session)
    expect(turns).toBe(1)
    const next = await say('goes on', { session, tag: `after ${fault}` })
    expect(next.headers['sluice-turn']).toBe('2')
    expect(JSON.stringify(messagesSent(sentBy(`after ${fault}`)[0]))).not.toContain('fails')
  })

  it('because its caller left leaves no trace, and frees the session at once', async () => {
    const session = sessionOf(await say('begin'))
    const left = await open(
      gateway.url,
      chat('leaves [sim:deltas=500] [sim:gap=20]', { session, fields: { stream: true } }),
    )
    leave(left.socket, 'rst')
    const next = await eventually(
      () => say('goes on', { session }),
      ({ status }) => status === 200,
      { withinMs: 2_000, everyMs: 50 },
    )
    expect(next.headers['sluice-turn']).toBe('2')
    expect(JSON.stringify(await shown(session))).not.toContain('leaves')
  })

  it('as the first of its session leaves nothing in Redis', async () => {
    const owner = await addTenant(gateway.dir, { tier: 'enterprise' })
    const answer = await say('fails', { fault: '529', by: owner.key })
    expect(answer.status).toBe(529)
    expect(answer.headers['sluice-session']).toBeUndefined()
    const kept = () => keysLeft(`sluice:session*${owner.tenant}`)
    const left = await eventually(kept, (found) => Array.isArray(found) && found.length === 0, {
      withinMs: 1_000,
    })
    expect(left).toEqual([])
    await say('is kept', { by: owner.key })
    expect(await kept()).toHaveLength(2)
  })
})

describe('a turn asked for again with its idempotency key', () => {
  const again = (value: string) => [['idempotency-key', value]] as const

  it('is answered from the first, also as a stream, also where its session was new', async () => {
    const headers = again('key-1')
    const first = await say('pay', { headers, tag: 'idem' })
    const second = await say('pay', { headers, tag: 'idem' })
    expect(second.status).toBe(200)
    expect(sessionOf(second)).toBe(sessionOf(first))
    expect(second.headers['sluice-turn']).toBe('1')
    expect(JSON.parse(second.body.toString())).toEqual(JSON.parse(first.body.toString()))
    expect(sentBy('idem')).toHaveLength(1)
    const other = await say('something else', { headers })
    expect(other.status).toBe(422)
    expect(other.headers['sluice-reason']).toBe('idempotency_mismatch')
  })

  it('while the first runs is told so', async () => {
    const headers = again('key-2')
    const fields = { stream: true }
    const first = await open(
      gateway.url,
      chat('slow [sim:deltas=50] [sim:gap=20]', { headers, fields }),
    )
    const second = await say('slow [sim:deltas=50] [sim:gap=20]', { headers, fields })
    expect(second.status).toBe(409)
    expect(second.headers['sluice-reason']).toBe('idempotency_in_flight')
    leave(first.socket, 'rst')
  })
})

describe.each([
  ['refuses connections', { mode: 'refuse' }],
  ['fails', { mode: 'error500' }],
] as const)('while Redis %s', (_, fault) => {
  it('a request that names a session is told so, others go on; then the session goes on', async () => {
    const session = sessionOf(await say('one'))
    gateway.redis.setFault(fault)
    try {
      const refused = await Promise.all([
        say('two', { session, tag: 'down' }),
        get(`/v1/sessions/${session}`),
        get(`/v1/sessions/${session}`, key, 'DELETE'),
      ])
      for (const answer of refused) {
        expect([answer.status, answer.headers['sluice-reason']]).toEqual([
          503,
          'session_store_unavailable',
        ])
        expect(errorOf(answer).error.type).toBe('overloaded_error')
      }
      expect(sentBy('down')).toEqual([])
      expect((await send(gateway.url, claudeCall({ key }))).status).toBe(200)
    } finally {
      gateway.redis.setFault({ mode: 'ok' })
    }
    const again = await eventually(
      () => say('two', { session }),
      ({ status }) => status === 200,
      { withinMs: 5_000, everyMs: 100 },
    )
    expect([again.status, again.headers['sluice-turn']]).toEqual([200, '2'])
  })
})

describe('its owner', () => {
  it('lists, lengthens, forks and deletes it', async () => {
    const owner = (await addTenant(gateway.dir, { tier: 'enterprise' })).key
    const session = sessionOf(await say('one', { by: owner }))
    await say('two', { session, by: owner })
    const list = await get('/v1/sessions?limit=1', owner)
    expect(JSON.parse(list.body.toString())).toMatchObject({
      data: [{ id: session, turns: 2, model: 'claude-haiku-5-5' }],
      has_more: false,
      next_page: null,
    })
    const longer = await get(`/v1/sessions/${session}/extend`, owner, 'POST', {
      ttl_seconds: 200_000,
    })
    const { expires_at: endsAt } = JSON.parse(longer.body.toString()) as { expires_at: string }
    expect(Date.parse(endsAt) - Date.now()).toBeGreaterThan(190_000_000)
    const forked = await get(`/v1/sessions/${session}/fork`, owner, 'POST', { at_turn: 1 })
    const fork = JSON.parse(forked.body.toString()) as { id: string; turns: number }
    expect(fork).toMatchObject({ turns: 1 })
    const next = await say('other', { session: fork.id, by: owner })
    expect(next.headers['sluice-turn']).toBe('2')
    expect((await get(`/v1/sessions/${session}`, owner, 'DELETE')).status).toBe(200)
    expect((await get(`/v1/sessions/${session}`, owner)).status).toBe(404)
    expect(await keysLeft(session)).toEqual([])
    expect((await say('gone', { session, by: owner })).status).toBe(404)
  })

  it('alone may: to every other tenant it does not exist', async () => {
    const session = sessionOf(await say('mine'))
    const other = gateway.keys.premium
    const answers = await Promise.all([
      say('theirs', { session, by: other, tag: 'theft' }),
      get(`/v1/sessions/${session}`, other),
      get(`/v1/sessions/${session}`, other, 'DELETE'),
      get(`/v1/sessions/${session}/fork`, other, 'POST', {}),
      get(`/v1/sessions/${session}/extend`, other, 'POST', { ttl_seconds: 5 }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404])
    expect(sentBy('theft')).toEqual([])
    expect((await shown(session)).turns).toBe(1)
  })
})

describe('a bad request', () => {
  it.each([
    ['{"message":"a","session_id":"nonsense"}', 404, 'there is no such session'],
    ['{"message":', 400, 'not valid JSON'],
    ['[]', 400, 'JSON object'],
    ['{"model":"m"}', 400, 'message: Field required'],
    ['{"message":"a","max_tokens":"x"}', 400, 'max_tokens'],
  ])('%s is refused by what is wrong', async (body, status, message) => {
    const answer = await send(gateway.url, claudeCall({ key, path: '/v1/chat', body }))
    expect(answer.status).toBe(status)
    expect(errorOf(answer).error.message).toContain(message)
  })
})
