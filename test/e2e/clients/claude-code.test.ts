// What Claude Code sends and expects, rule by rule; the doctor checks the same from outside, here Claude's side of
// it is seen too.
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sharedGateway, startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { headerOf, journalAt, newTag } from '../../support/gateway-simulator.ts'

const gateway = sharedGateway()
const journal = journalAt(gateway.simulatorUrl)
const MODELS_DEADLINE_MS = 3_000

/** Not in the order or spacing of any JSON printer: a body that was parsed and printed again would differ. */
const BODY = `{ "max_tokens":64,"stream" : true,
  "model":"claude-sonnet-5-5", "messages": [{"content":"Hällo \\u00e4 🙂","role":"user"}],
  "system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.0; cc_entrypoint=cli;"},
    {"type":"text","text":"You are Claude Code.","cache_control":{"type":"ephemeral"}}],
  "metadata":{"user_id":"user_1_account__session_2"}  , "unheard_of": 1.0e2 }`
const HEADERS = {
  'content-type': 'application/json',
  accept: 'application/json',
  'anthropic-version': '2023-06-01',
  'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14,unheard-of-2031-01-01',
  'anthropic-dangerous-direct-browser-access': 'true',
  'anthropic-unheard-of': 'kept, as it is; "so"',
  'x-claude-code-session-id': '7a6d0a2e-5f0c-4c3e-9f55-000000000001',
  'x-claude-code-agent': 'main',
}

interface Turn {
  readonly url?: string
  readonly key?: string
  readonly tag?: string
  readonly body?: string
  readonly headers?: Record<string, string>
}

const send = ({ url = gateway.url, key = gateway.keys.enterprise, ...turn }: Turn) =>
  fetch(`${url}/v1/messages?beta=true`, {
    method: 'POST',
    headers: {
      ...HEADERS,
      authorization: `Bearer ${key}`,
      ...(turn.tag === undefined ? {} : { 'anthropic-sim-tag': turn.tag }),
      ...turn.headers,
    },
    body: turn.body ?? BODY,
  })

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

test('HEAD /api/hello answers 200 without a body', async () => {
  const answer = await fetch(`${gateway.url}/api/hello`, { method: 'HEAD', redirect: 'error' })
  expect(answer.status).toBe(200)
  expect(await answer.text()).toBe('')
})

test('GET /v1/models?limit=1000 answers within 3 s, whole, and without a redirect', async () => {
  const startedAt = performance.now()
  const answer = await fetch(`${gateway.url}/v1/models?limit=1000`, {
    headers: { ...HEADERS, authorization: `Bearer ${gateway.keys.enterprise}` },
    redirect: 'error',
  })
  const list = (await answer.json()) as { data: unknown[]; has_more: boolean }
  expect(performance.now() - startedAt).toBeLessThan(MODELS_DEADLINE_MS)
  expect(list.data.length).toBeGreaterThan(10)
  expect(list.has_more).toBe(false)
})

test('a turn reaches Claude byte for byte: query, body and system array', async () => {
  const tag = newTag()
  const answer = await send({ tag })
  expect(await answer.text()).toContain('event: message_stop')
  const entry = await journal.one(tag)
  expect(entry.query).toBe('?beta=true')
  expect(entry.body_sha256).toBe(sha256(BODY))
})

test('its headers reach Claude verbatim, betas and unknown ones included, and nothing else does', async () => {
  const tag = newTag()
  await (
    await send({ tag, headers: { 'x-app': 'cli', cookie: 'a=b', 'x-forwarded-for': '1.2.3.4' } })
  ).text()
  const entry = await journal.one(tag)
  for (const [name, value] of Object.entries(HEADERS)) expect(headerOf(entry, name)).toBe(value)
  for (const name of ['authorization', 'x-app', 'cookie', 'x-forwarded-for', 'cf-connecting-ip']) {
    expect(headerOf(entry, name), name).toBeUndefined()
  }
})

test('tokens are counted with the same headers and query', async () => {
  const tag = newTag()
  const body = '{"model":"claude-sonnet-5-5","messages":[{"role":"user","content":"Hello"}] }'
  const answer = await fetch(`${gateway.url}/v1/messages/count_tokens?beta=true`, {
    method: 'POST',
    headers: { ...HEADERS, 'anthropic-sim-tag': tag, 'x-api-key': gateway.keys.enterprise },
    body,
  })
  expect(await answer.json()).toMatchObject({ input_tokens: expect.any(Number) as number })
  const entry = await journal.one(tag)
  expect([entry.path, entry.query]).toEqual(['/v1/messages/count_tokens', '?beta=true'])
  expect(entry.body_sha256).toBe(sha256(body))
})

test.each([400, 404, 413, 422])('the body of a %i comes unaltered', async (status) => {
  const tag = newTag()
  const message = 'Said%20by%20Claude%2C%20to%20the%20letter'
  const answer = await send({
    tag,
    headers: { 'anthropic-sim-fault': `${status};message=${message}` },
  })
  const text = await answer.text()
  const entry = await journal.one(tag)
  expect(answer.status).toBe(status)
  expect(JSON.parse(text)).toEqual({
    type: 'error',
    error: { type: expect.any(String) as string, message: decodeURIComponent(message) },
    request_id: entry.request_id,
  })
  expect(answer.headers.get('x-should-retry')).toBe('false')
})

describe('with settings of its own', () => {
  let own: TestGateway
  beforeAll(async () => {
    const account = (id: string) => ({ id, api_key: `sk-ant-sim-${id}` })
    own = await startTestGateway({
      settings: {
        ANTHROPIC_ACCOUNTS: JSON.stringify([account('red'), account('green'), account('blue')]),
        SLUICE_PING_MS: 100,
      },
    })
  })
  afterAll(() => own.stop())
  const ask = (turn: Turn) => send({ url: own.url, key: own.keys.enterprise, ...turn })

  test('a stream never falls silent: comments come while Claude says nothing', async () => {
    const answer = await ask({ headers: { 'anthropic-sim-fault': 'stall;after=2;ms=800' } })
    const text = await answer.text()
    const comments = text.split('\n').filter((line) => line.startsWith(':'))
    expect(comments.length).toBeGreaterThanOrEqual(3)
    expect(text).toContain('event: message_stop')
  })

  test('a session stays with one account', async () => {
    const accountsOf = async (session: string) => {
      const accounts = new Set<string>()
      for (let i = 0; i < 6; i++) {
        const answer = await ask({ headers: { 'x-claude-code-session-id': session } })
        await answer.text()
        accounts.add(answer.headers.get('sluice-account') ?? '')
      }
      return [...accounts]
    }
    const all = new Set<string>()
    for (const session of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
      const accounts = await accountsOf(`session-${session}`)
      expect(accounts).toHaveLength(1)
      all.add(accounts[0] ?? '')
    }
    expect(all.size).toBeGreaterThan(1)
  })
})
