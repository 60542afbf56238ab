import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { formatApiKey } from '../../src/core/keys/api-key.ts'
import { runCheck } from '../../tools/doctor/check.ts'
import { checks } from '../../tools/doctor/checks.ts'
import { Target } from '../../tools/doctor/target.ts'
import { errorOf, isClaudeError } from '../support/claude-call.ts'
import { newTag } from '../support/gateway-simulator.ts'
import { type RawAnswer, send } from '../support/raw-http.ts'
import type { Running } from './running.ts'
import { PAGE } from './runtime-world.ts'

const sha256 = (text: Uint8Array | string): string =>
  createHash('sha256').update(text).digest('hex')
const { text: UNKNOWN_KEY } = formatApiKey('0'.repeat(10), '0'.repeat(32))

export function describeRequests(running: Running): void {
  test('a file is passed to Claude as it comes, and back', async () => {
    const { url } = running.gateway
    const bytes = new Uint8Array(2 * 1024 * 1024).map((_, at) => at % 251)
    const own = { 'x-api-key': running.world.keys.enterprise, 'anthropic-version': '2023-06-01' }
    const form = new FormData()
    form.set('file', new File([bytes], 'data.bin', { type: 'application/octet-stream' }))
    const made = await fetch(`${url}/v1/files`, { method: 'POST', headers: own, body: form })
    expect(made.status, await made.clone().text()).toBe(200)
    const { id } = (await made.json()) as { id: string }
    const content = await fetch(`${url}/v1/files/${id}/content`, { headers: own })
    expect(sha256(new Uint8Array(await content.arrayBuffer()))).toBe(sha256(bytes))
    const gone = await fetch(`${url}/v1/files/${id}`, { method: 'DELETE', headers: own })
    expect(gone.status).toBe(200)
  })

  test('health touches nothing, ready asks every part', async () => {
    const { url } = running.gateway
    expect((await send(url, { path: '/health' })).status).toBe(200)
    const ready = await send(url, { path: '/ready' })
    expect(ready.status).toBe(200)
    expect(JSON.parse(ready.body.toString())).toMatchObject({
      ready: true,
      redis: { state: 'ok' },
      d1: { state: 'ok' },
      accounts: { default: { state: 'ok' } },
    })
  })

  test.each([
    ['', 'key_missing'],
    ['slk_mistyped', 'key_malformed'],
    [UNKNOWN_KEY, 'key_unknown'],
  ])('the key "%s" is refused as %s, and nothing reaches Claude', async (key, reason) => {
    const tag = newTag()
    const answer = await running.ask({ key, tag })
    expect([answer.status, answer.headers['sluice-reason']]).toEqual([401, reason])
    expect(errorOf(answer).error.type).toBe('authentication_error')
    expect(running.world.simulator.journal.list({ tag, state: 'arrived' })).toEqual([])
  })

  test("a token is made and lets its origin's pages in, and no others; its preflight is answered", async () => {
    const { url } = running.gateway
    const made = await send(url, {
      path: '/v1/tokens',
      headers: [
        ['x-api-key', running.world.keys.enterprise],
        ['content-type', 'application/json'],
      ],
      body: JSON.stringify({ ttl_seconds: 60, origin: PAGE }),
    })
    expect(made.status, made.body.toString()).toBe(200)
    const { token } = JSON.parse(made.body.toString()) as { token: string }
    const from = (origin: string) => running.ask({ key: token, headers: [['origin', origin]] })
    expect((await from(PAGE)).status).toBe(200)
    expect((await from('https://evil.example')).headers['sluice-reason']).toBe('origin_not_allowed')
    const preflight = await send(url, {
      method: 'OPTIONS',
      path: '/v1/messages',
      headers: [
        ['origin', PAGE],
        ['access-control-request-method', 'POST'],
      ],
    })
    expect(preflight.headers['access-control-allow-origin']).toBe(PAGE)
  })

  describe('a plain call', () => {
    test('goes up byte for byte with our credential, and its answer comes back so', async () => {
      const { simulator } = running.world
      const tag = newTag()
      const answered =
        '{ "usage": {"input_tokens":3,"output_tokens": 7},\n"x":[1.0,1e3,"\\u00e9"] }\n'
      simulator.sim.canned.set(tag, Buffer.from(answered))
      const body =
        '{"max_tokens":  9,\n "model":"claude-sonnet-5-5","messages":[{"role":"user", "content":"\\u00e9"}]}'
      const answer = await running.ask({
        body,
        tag,
        path: '/v1/messages?beta=true&x=%C3%A9',
        fault: `canned=${tag};type=application/json`,
        headers: [
          ['anthropic-beta', 'one-2026-01-01,two'],
          ['accept-encoding', 'gzip, br'],
        ],
      })
      expect([answer.status, answer.body.toString()]).toEqual([200, answered])
      const [seen] = simulator.journal.list({ tag })
      expect(seen).toMatchObject({
        body_sha256: sha256(body),
        path: '/v1/messages',
        query: '?beta=true&x=%C3%A9',
      })
      const headers = seen?.rawHeaders ?? []
      expect(headers).toContain('one-2026-01-01,two')
      expect(headers).toContain('sk-ant-sim-runtimes')
      expect(headers.join()).not.toContain('slk_')
    })

    test('of 3 MB in chunks reaches Claude whole', async () => {
      const tag = newTag()
      const { body = '', ...call } = running.call({ tag, prompt: 'x'.repeat(3_000_000) })
      const answer = await send(running.gateway.url, { ...call, body, chunkBytes: 60_000 })
      expect(answer.status).toBe(200)
      const [seen] = running.world.simulator.journal.list({ tag })
      expect(seen?.body_sha256).toBe(sha256(body))
    })

    test('above the largest body is refused in the shape of Claude', async () => {
      const answer = await running.ask({ prompt: 'x'.repeat(33_554_432) })
      expect([answer.status, answer.headers['sluice-reason']]).toEqual([413, 'body_too_large'])
      expect(isClaudeError(answer.body)).toBe(true)
    })
  })

  test('an account that is added while it runs takes calls, with its own credential', async () => {
    const { world, gateway } = running
    const admin = (path: string, method: string, body: object) =>
      send(gateway.url, {
        path: `/admin/v1/accounts${path}`,
        method,
        headers: [
          ['authorization', `Bearer ${world.settings['ADMIN_TOKEN']}`],
          ['content-type', 'application/json'],
        ],
        body: JSON.stringify(body),
      })
    const account = { id: 'added', api_key: 'sk-ant-sim-added', weight: 1_000_000 }
    expect((await admin('', 'POST', account)).status).toBe(201)
    const tag = newTag()
    expect((await running.ask({ tag })).headers['sluice-account']).toBe('added')
    expect(world.simulator.journal.list({ tag }).map(({ org }) => org)).toEqual(['added'])
    await admin('/added', 'PATCH', { draining: true })
    expect((await running.ask()).headers['sluice-account']).toBe('default')
  })

  test('the checks of the doctor pass', async () => {
    const target = new Target({
      url: running.gateway.url,
      key: await running.world.newKey('examined'),
      model: 'claude-haiku-4-5',
      origin: PAGE,
    })
    await target.connect()
    const results = []
    for (const check of checks) results.push(await runCheck(check, target))
    expect(results.length).toBeGreaterThan(0)
    expect(results.filter(({ outcome }) => outcome === 'fail')).toEqual([])
  })

  test('the eleventh request of a free key within a minute is refused, as Redis counts', async () => {
    const { keys, redis } = running.world
    const commands = redis.stats().commands
    // One by one: the tier allows two at a time.
    const answers: RawAnswer[] = []
    while (answers.length < 11) answers.push(await running.ask({ key: keys.free }))
    const statuses = answers.map(({ status }) => status)
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 200), 429])
    const refused = answers.at(-1)
    expect(refused?.headers['sluice-reason']).toBe('tenant_requests')
    expect(Number(refused?.headers['retry-after'])).toBeGreaterThan(0)
    expect(redis.stats().commands - commands).toBeGreaterThanOrEqual(11)
  })
}
