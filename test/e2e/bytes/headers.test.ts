// Which headers go up to Claude and which come down to the caller: open lists, and nobody's secrets.
import { describe, expect, it } from 'vitest'
import { claudeCall } from '../../support/claude-call.ts'
import { type RawAnswer, send } from '../../support/raw-http.ts'
import { sharedGateway } from '../../support/gateway.ts'
import { journalAt } from '../../support/gateway-simulator.ts'

const gateway = sharedGateway()
const journal = journalAt(gateway.simulatorUrl)

type Pairs = readonly (readonly [string, string])[]

/** What Claude got, as name and value pairs. */
async function headersAtClaude(tag: string): Promise<[string, string][]> {
  const { headers } = await journal.one(tag)
  return headers.map(([name, value]) => [name.toLowerCase(), value])
}

const call = (tag: string, headers: Pairs, key: Pairs = [['x-api-key', gateway.keys.enterprise]]) =>
  send(gateway.url, {
    path: '/v1/messages',
    headers: [
      ...key,
      ['anthropic-version', '2023-06-01'],
      ['content-type', 'application/json'],
      ['anthropic-sim-tag', tag],
      ...headers,
    ],
    body: '{"model":"claude-sonnet-5-5","max_tokens":9,"messages":[{"role":"user","content":"a"}]}',
  })

describe('headers that go up', () => {
  it('are those that Claude knows, verbatim and as an open list', async () => {
    const given: Pairs = [
      ['anthropic-beta', 'message-batches-2024-09-24, beta-of-tomorrow-2027-01-01,x'],
      ['anthropic-header-of-tomorrow', 'a; b="c"'],
      ['anthropic-dangerous-direct-browser-access', 'true'],
      ['x-claude-code-session-id', '0f8c-71'],
      ['x-claude-code-thing-of-tomorrow', '1'],
      ['accept', 'application/json, */*;q=0.1'],
    ]
    expect((await call('up', given)).status).toBe(200)
    const got = await headersAtClaude('up')
    for (const pair of given) expect(got).toContainEqual([...pair])
    expect(got).toContainEqual(['anthropic-version', '2023-06-01'])
    expect(got).toContainEqual(['content-type', 'application/json'])
  })

  it('keep each value of one that comes twice', async () => {
    await call('twice', [
      ['anthropic-beta', 'one-2026-01-01'],
      ['anthropic-beta', 'two-2026-01-01'],
    ])
    const betas = (await headersAtClaude('twice')).filter(([name]) => name === 'anthropic-beta')
    const values = betas.flatMap(([, value]) => value.split(',').map((part) => part.trim()))
    expect(values).toEqual(['one-2026-01-01', 'two-2026-01-01'])
  })

  it.each([
    ['x-api-key', (key: string): Pairs => [['x-api-key', key]]],
    ['authorization', (key: string): Pairs => [['authorization', `Bearer ${key}`]]],
    [
      'both headers',
      (key: string): Pairs => [
        ['x-api-key', key],
        ['authorization', `Bearer ${key}`],
      ],
    ],
  ])("never hold the caller's key when it comes by %s", async (name, withKey) => {
    const tag = `key-${name.replace(' ', '-')}`
    await call(tag, [], withKey(gateway.keys.premium))
    const got = await headersAtClaude(tag)
    expect(JSON.stringify(got)).not.toContain('slk_')
    // The journal shows the last characters of a credential: they are those of the account.
    expect(got).toContainEqual(['x-api-key', '***-dev'])
    expect(got.filter(([header]) => header === 'authorization')).toEqual([])
  })

  it('hold nothing else of the caller', async () => {
    await call('else', [
      ['cookie', 'session=secret-1'],
      ['x-forwarded-for', '203.0.113.9'],
      ['x-forwarded-proto', 'https'],
      ['forwarded', 'for=203.0.113.9'],
      ['x-real-ip', '203.0.113.9'],
      ['cf-connecting-ip', '203.0.113.9'],
      ['origin', 'https://app.example'],
      ['referer', 'https://app.example/secret-2'],
      ['user-agent', 'caller/1.0 secret-3'],
      ['sluice-user', 'secret-4'],
      ['sluice-lane', 'low'],
      ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
      ['x-stainless-retry-count', '0'],
      ['x-header-of-the-caller', 'secret-5'],
      ['idempotency-key', 'secret-6'],
      ['prefer', 'respond-async-not'],
    ])
    const got = await headersAtClaude('else')
    // `cf-worker` is the platform's own: every Worker's calls carry it, and no Worker can take it off.
    const ofThisHop =
      /^(host|content-length|transfer-encoding|connection|accept-encoding|cf-worker|x-api-key)$/
    const ofClaude = /^(anthropic-.+|x-claude-code-.+|content-type|accept)$/
    const others = got.filter(([name]) => !ofThisHop.test(name) && !ofClaude.test(name))
    expect(others).toEqual([])
    expect(JSON.stringify(got)).not.toMatch(/secret-|203\.0\.113/)
    const host = got.find(([name]) => name === 'host')?.[1]
    expect(host).toBe(new URL(gateway.simulatorUrl).host)
  })
})

describe('headers that come down', () => {
  const routes = [
    ['a plain answer', { stream: false }, undefined],
    ['a stream', { stream: true }, undefined],
    ['an error', { stream: false }, '400'],
  ] as const

  async function answerOf(tag: string, stream: boolean, fault?: string): Promise<RawAnswer> {
    return send(
      gateway.url,
      claudeCall({
        key: gateway.keys.premium,
        tag,
        fields: { stream },
        ...(fault === undefined ? {} : { fault }),
      }),
    )
  }

  it.each(routes)(
    "of %s name the request as ours and Claude's own beside it",
    async (name, { stream }, fault) => {
      const tag = `down-${name.replaceAll(' ', '-')}`
      const { headers } = await answerOf(tag, stream, fault)
      const entry = await journal.one(tag)
      expect(headers['sluice-upstream-request-id']).toBe(entry.request_id)
      expect(headers['request-id']).toMatch(/^req_[\w]{10,}$/)
      expect(headers['request-id']).not.toBe(entry.request_id)
      expect(headers['sluice-account']).toBe('default')
      expect(headers['sluice-attempts']).toBe('1')
      expect(headers['sluice-queued-ms']).toBe('0')
      expect(headers['sluice-trace-id']).toMatch(/^[\da-f]{32}$/)
      for (const part of ['auth', 'store', 'gate', 'upstream', 'total']) {
        expect(headers['server-timing']).toMatch(new RegExp(`\\b${part};dur=\\d`))
      }
    },
  )

  it.each(routes)('of %s tell nothing of our account', async (name, { stream }, fault) => {
    const { headers } = await answerOf(`withheld-${name.replaceAll(' ', '-')}`, stream, fault)
    const withheld = Object.keys(headers).filter((header) =>
      /^(anthropic-organization-id|anthropic-workspace-id|set-cookie|server|via|cf-.+)$/.test(
        header,
      ),
    )
    expect(withheld).toEqual([])
    expect(JSON.stringify(headers)).not.toContain('sk-ant-')
    // The simulator's account has millions a minute; these are the limits of the key's tier.
    expect(headers).toMatchObject({
      'anthropic-ratelimit-requests-limit': '100',
      'anthropic-ratelimit-input-tokens-limit': '1000000',
      'anthropic-ratelimit-output-tokens-limit': '200000',
    })
  })

  it('leave out the `retry-after` that Claude sends with a success', async () => {
    const { headers, status } = await answerOf('retry-after', false)
    expect(status).toBe(200)
    expect(headers['retry-after']).toBeUndefined()
  })

  it('tell the windows of the key in the form of the IETF draft', async () => {
    const { headers } = await answerOf('windows', false)
    expect(headers['ratelimit-policy']).toMatch(/q=100;\s*w=60/)
    expect(headers['ratelimit-policy']).toMatch(/q=10000;\s*w=3600/)
    expect(headers['ratelimit']).toMatch(/r=\d+/)
  })

  it("keep what is Claude's to say", async () => {
    const body = '{"type":"message"}'
    await fetch(`${gateway.simulatorUrl}/__sim/canned/json`, { method: 'PUT', body })
    const { headers } = await send(
      gateway.url,
      claudeCall({
        key: gateway.keys.premium,
        fault: 'canned=json;type=application/json%3B%20charset%3Dutf-8',
      }),
    )
    expect(headers['content-type']).toBe('application/json; charset=utf-8')
    expect(headers['x-robots-tag']).toBe('none')
  })

  it("name our own request in our own refusals, and say the caller's trace", async () => {
    const trace = '0af7651916cd43dd8448eb211c80319c'
    const answer = await send(gateway.url, {
      path: '/v1/messages',
      headers: [['traceparent', `00-${trace}-b7ad6b7169203331-01`]],
      body: '{}',
    })
    expect(answer.status).toBe(401)
    expect(answer.headers['sluice-reason']).toBe('key_missing')
    expect(answer.headers['sluice-trace-id']).toBe(trace)
    const body = JSON.parse(answer.body.toString()) as { request_id: string }
    expect(body.request_id).toBe(answer.headers['request-id'])
  })
})
