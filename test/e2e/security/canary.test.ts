// Canaries: texts that must be nowhere but where they belong. They are sent as prompts, keys, tokens, users and
// credentials in calls of every fate, and then looked for in all that the gateway said and kept.
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeApiKey } from '../../../src/core/keys/api-key.ts'
import type { DevSecrets } from '../../../tools/dev/state.ts'
import { accountList } from '../../support/accounts.ts'
import { claudeCall } from '../../support/claude-call.ts'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { open, type RawAnswer, send } from '../../support/raw-http.ts'

const ORIGIN = 'https://app.example'
const newCanary = (kind: string): string => `canary${kind}${randomBytes(8).toString('hex')}`

const prompt = newCanary('prompt')
const system = newCanary('system')
const tool = newCanary('tool')
const user = newCanary('user')
const credential = `sk-ant-${newCanary('settings')}`
const addedCredential = `sk-ant-${newCanary('added')}`
const strangerKey = makeApiKey(randomBytes(64)).text
/** Looked for in all that was said; secrets also in all that was kept. */
const said = new Map<string, string>()
const secrets = new Map<string, string>()

let gateway: TestGateway
const answers: RawAnswer[] = []

beforeAll(async () => {
  gateway = await startTestGateway({
    logs: true,
    settings: {
      ANTHROPIC_ACCOUNTS: accountList({ id: 'main', api_key: credential }),
      SLUICE_RETRY_BASE_MS: 1,
      SLUICE_RETRY_MAX_MS: 5,
      SLUICE_FIRST_BYTE_TIMEOUT_MS: 300,
      SLUICE_IDLE_TIMEOUT_MS: 300,
      SLUICE_QUEUE_WAIT_MS: 100,
      SLUICE_RETRY_ATTEMPTS: 2,
      SLUICE_RETRY_AFTER_MAX_MS: 100,
      // Faults in a row must not close the account.
      SLUICE_BREAKER_CONSECUTIVE: 1_000,
      SLUICE_BREAKER_MIN_CALLS: 1_000,
    },
  })
  const dev = JSON.parse(readFileSync(join(gateway.dir, 'secrets.json'), 'utf8')) as DevSecrets
  const key = gateway.keys.premium
  const token = await makeToken(key)
  for (const [name, text] of Object.entries({ prompt, system, tool, user })) said.set(name, text)
  for (const [name, text] of Object.entries({
    key: secretOf(key),
    enterpriseKey: secretOf(gateway.keys.enterprise),
    strangerKey: secretOf(strangerKey),
    tokenSignature: token.split('.')[2] ?? '',
    credential,
    addedCredential,
    pepper: dev.pepper,
    adminToken: gateway.adminToken,
    redisToken: gateway.redisToken,
  })) {
    secrets.set(name, text)
  }
  await addAccount()
  secrets.set('newKey', secretOf(await newKey()))
  await callInEveryWay(key, token)
})

afterAll(() => gateway.stop())

const secretOf = (key: string): string => key.split('_')[2] ?? ''

const post = async (
  path: string,
  headers: readonly (readonly [string, string])[],
  body: unknown,
): Promise<RawAnswer> =>
  send(gateway.url, {
    path,
    headers: [['content-type', 'application/json'], ...headers],
    body: JSON.stringify(body),
  })

async function makeToken(key: string): Promise<string> {
  const answer = await post('/v1/tokens', [['x-api-key', key]], {
    ttl_seconds: 600,
    origin: ORIGIN,
    user,
  })
  return (JSON.parse(answer.body.toString()) as { token: string }).token
}

const admin = (): readonly (readonly [string, string])[] => [
  ['authorization', `Bearer ${gateway.adminToken}`],
  ['idempotency-key', randomBytes(8).toString('hex')],
]

async function addAccount(): Promise<void> {
  const answer = await post('/admin/v1/accounts', admin(), {
    id: 'added',
    api_key: addedCredential,
    base_url: gateway.simulatorUrl,
  })
  expect(answer.status, answer.body.toString()).toBeLessThan(300)
  answers.push(answer)
}

/** Shown once, in an answer that is kept for those who repeat their request. */
async function newKey(): Promise<string> {
  const made = await post('/admin/v1/tenants', admin(), { name: 'canaries', tier: 'free' })
  const { id } = JSON.parse(made.body.toString()) as { id: string }
  const answer = await post(`/admin/v1/tenants/${id}/keys`, admin(), { name: 'canary' })
  return (JSON.parse(answer.body.toString()) as { key: string }).key
}

const FATES = [
  undefined,
  '400',
  '500',
  '529',
  'reset',
  'bad-json',
  'empty',
  'html',
  'hang',
  'error;after=0',
  'error;after=3',
  'truncate;after=3',
  'stall;after=3',
  // Last, since they close the account.
  '429',
  '401',
] as const

async function callInEveryWay(key: string, token: string): Promise<void> {
  const fields = (stream: boolean) => ({
    stream,
    system,
    messages: [{ role: 'user', content: prompt }],
    tools: [{ name: tool, description: tool, input_schema: { type: 'object' } }],
  })
  const ask = async (credentials: readonly (readonly [string, string])[], more: object) => {
    const { headers = [], ...call } = claudeCall({ key: '', fields: fields(false), ...more })
    const sent = [...headers.filter(([name]) => name !== 'x-api-key'), ...credentials]
    answers.push(await send(gateway.url, { ...call, headers: sent }))
  }
  const asKey: [string, string][] = [
    ['x-api-key', key],
    ['sluice-user', user],
  ]
  const asToken: [string, string][] = [
    ['authorization', `Bearer ${token}`],
    ['origin', ORIGIN],
  ]
  await ask(asKey, { path: '/v1/messages/count_tokens' })
  await ask(asKey, { path: '/v1/chat/completions' })
  for (const fault of FATES) {
    for (const stream of [false, true]) {
      const more = fault === undefined ? {} : { fault }
      await ask(stream ? asToken : asKey, { fields: fields(stream), ...more })
    }
  }
  for (const body of [
    `{"model":"claude-sonnet-5-5","messages":"${prompt}"`,
    `{"messages":[{"role":"user","content":"${prompt}"}]}`,
    JSON.stringify({ ...fields(false), model: 7, prompt }),
    prompt,
  ]) {
    await ask(asKey, { body })
  }
  await ask([['x-api-key', strangerKey]], {})
  await ask([['x-api-key', `${key}x`]], {})
  await ask([['x-api-key', credential]], {})
  await ask([['authorization', `Bearer ${token.slice(0, -2)}AA`]], {})
  await ask([...asToken.slice(0, 1), ['origin', 'https://evil.example']], {})
  await ask(asKey, { path: `/v1/${prompt}?api_key=${key}` })
  await ask([['authorization', `Bearer ${key}`]], { path: '/admin/v1/tenants' })
  const { response } = await open(
    gateway.url,
    claudeCall({ key, fields: fields(true), fault: 'stall;after=3', headers: asKey.slice(1) }),
  )
  response.destroy()
  for (const path of ['/admin/v1/accounts', '/admin/v1/events', '/admin/v1/tenants', '/metrics']) {
    answers.push(await send(gateway.url, { path, headers: admin() }))
  }
}

/** The names of those that are in a text. */
const foundIn = (text: string, canaries: ReadonlyMap<string, string>): string[] =>
  [...canaries].filter(([, canary]) => text.includes(canary)).map(([name]) => name)

describe('after calls of every fate', () => {
  it('they were made: some answered, some refused in each way', () => {
    const statuses = new Set(answers.map(({ status }) => status))
    for (const status of [200, 400, 401, 403, 404]) expect([...statuses]).toContain(status)
    expect([...statuses].some((status) => status >= 500)).toBe(true)
  })

  it('the log says that calls were made, and no canary', async () => {
    const output = await eventually(
      () => `${gateway.stdout()}\n${gateway.stderr()}`,
      (text) => text.split('"event":"attempt"').length > FATES.length,
      { withinMs: 5_000 },
    )
    // The welcome of `npm run dev` shows this machine's own keys: what comes after it is the log.
    const [, log = ''] = output.split(/Stop with Ctrl-C.*\n/)
    expect(log.split('"event":"attempt"').length).toBeGreaterThan(FATES.length)
    expect(foundIn(log, new Map([...said, ...secrets]))).toEqual([])
  })

  it('no answer tells a secret, and no error of ours repeats what was said', () => {
    for (const { status, headers, body } of answers) {
      const text = `${JSON.stringify(headers)}\n${body.toString()}`
      expect(foundIn(text, secrets), text).toEqual([])
      // Claude's own final answers pass unaltered, and may repeat what they were asked.
      const isOurs =
        headers['sluice-reason'] !== undefined && headers['sluice-reason'] !== 'route_unknown'
      if (status >= 400 && isOurs) expect(foundIn(text, said), text).toEqual([])
    }
  })

  it('no secret and nothing that was said lies in the databases of the Worker and its objects', () => {
    const kept = filesUnder(join(gateway.dir, 'worker'))
    expect(kept.length).toBeGreaterThan(1)
    // Whom usage is billed to is kept, as docs/SECURITY.md says: nothing else of a call.
    const never = new Map([...said, ...secrets])
    never.delete('user')
    for (const path of kept) {
      const text = readFileSync(path, 'latin1')
      expect(foundIn(text, never), path).toEqual([])
    }
    const whole = kept.map((path) => readFileSync(path, 'latin1')).join('\n')
    expect(whole).toContain('dev-premium')
  })

  it('neither does any of it lie in Redis', async () => {
    const entries = await redisEntries()
    expect(entries.length).toBeGreaterThan(0)
    expect(foundIn(entries.join('\n'), new Map([...said, ...secrets]))).toEqual([])
  })
})

const filesUnder = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(dir, name))
    .filter((path) => statSync(path).isFile())

async function redisEntries(): Promise<string[]> {
  const command = async (...words: string[]): Promise<unknown> => {
    const answer = await fetch(gateway.redisUrl, {
      method: 'POST',
      headers: { authorization: `Bearer ${gateway.redisToken}` },
      body: JSON.stringify(words),
    })
    return ((await answer.json()) as { result: unknown }).result
  }
  const readers: Readonly<Record<string, readonly string[]>> = {
    string: ['GET'],
    hash: ['HGETALL'],
    set: ['SMEMBERS'],
    list: ['LRANGE', '0', '-1'],
    zset: ['ZRANGE', '0', '-1'],
  }
  const entries: string[] = []
  for (const key of (await command('KEYS', '*')) as string[]) {
    const [name = '', ...range] = readers[String(await command('TYPE', key))] ?? []
    entries.push(`${key} ${JSON.stringify(await command(name, key, ...range))}`)
  }
  return entries
}
