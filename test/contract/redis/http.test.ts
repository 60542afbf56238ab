// The bridge as an HTTP server: who may ask, what it makes of bad requests, the forms of a command, test controls.
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRedisBridge } from '../../../tools/redis/server.ts'
import type { RedisBridge } from '../../../tools/redis/server.ts'
import { launch } from './launch.ts'

let bridge: RedisBridge

beforeAll(async () => {
  bridge = await startRedisBridge({ faults: true, mostBodyBytes: 100_000 })
})
afterAll(() => bridge.close())

interface Ask {
  readonly method?: string
  readonly body?: string | Uint8Array
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
}

async function ask(path: string, { method, body, token = bridge.token, headers }: Ask = {}) {
  const response = await fetch(`${bridge.url}${path}`, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { ...(token === '' ? {} : { authorization: `Bearer ${token}` }), ...headers },
    ...(body === undefined ? {} : { body: body as string }),
  })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? null : JSON.parse(text),
  }
}

describe('authorization', () => {
  it.for(['', 'wrong', 'x'.repeat(32)])('refuses the token "%s" with 401', async (token) => {
    const answer = await ask('/get/k', { token })
    expect(answer.status).toBe(401)
    expect(answer.body).toEqual({ error: 'WRONGPASS invalid or missing auth token' })
  })

  it('takes the token from the query too', async () => {
    const answer = await ask(`/ping?_token=${bridge.token}`, { token: '' })
    expect(answer.body).toEqual({ result: 'PONG' })
  })
})

describe('commands in the path', () => {
  it('takes percent signs as bytes and the query as further arguments', async () => {
    expect((await ask('/set/k%C3%A9/a%20b%2Fc?EX=100')).body).toEqual({ result: 'OK' })
    expect((await ask('/get/k%C3%A9')).body).toEqual({ result: 'a b/c' })
    expect((await ask('/ttl/k%C3%A9/')).body).toEqual({ result: 100 })
  })

  it('takes a posted body as value, whatever bytes it has', async () => {
    const value = Uint8Array.of(0, 255, 13, 10, 200)
    expect((await ask('/set/bytes?EX=9', { body: value })).body).toEqual({ result: 'OK' })
    expect((await ask('/strlen/bytes')).body).toEqual({ result: 5 })
    const read = await ask('/get/bytes', { headers: { 'upstash-encoding': 'base64' } })
    expect(read.body).toEqual({ result: Buffer.from(value).toString('base64') })
  })

  it('answers a failed command with 400', async () => {
    const answer = await ask('/get')
    expect(answer.status).toBe(400)
    expect(answer.body).toEqual({ error: "ERR wrong number of arguments for 'get' command" })
  })
})

describe('malformed requests', () => {
  const bodies = [
    '',
    'nonsense',
    '{"a":1}',
    '"GET"',
    'null',
    '[]',
    '[null]',
    '["GET",null]',
    '["GET",["k"]]',
    '["SET","k",{"a":1}]',
    '["GET"',
    '[[]]',
    '\u0000',
    '['.repeat(50_000),
    `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
    '["__proto__","constructor"]',
    '["constructor","x"]',
  ]

  it.for(['/', '/pipeline', '/multi-exec'])('are refused with 400 at %s', async (path) => {
    for (const body of bodies) {
      const answer = await ask(path, { body })
      const refusedInside = Array.isArray(answer.body) && answer.body.every((one) => 'error' in one)
      expect({ body, refused: answer.status === 400 || refusedInside }).toEqual({
        body,
        refused: true,
      })
    }
    expect((await ask('/ping')).body).toEqual({ result: 'PONG' })
  })

  it('are refused with 413 when too large, declared or not', async () => {
    const body = JSON.stringify(['SET', 'k', 'x'.repeat(200_000)])
    expect((await ask('/', { body })).status).toBe(413)
    const chunked = await fetch(bridge.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${bridge.token}` },
      body: new Blob([body]).stream(),
      duplex: 'half',
    } as RequestInit)
    expect(chunked.status).toBe(413)
    expect((await ask('/exists/k')).body).toEqual({ result: 0 })
  })

  it('are refused with 405 for a method that Upstash does not know', async () => {
    expect((await ask('/get/k', { method: 'DELETE' })).status).toBe(405)
  })

  it('do not stop the server when they are no HTTP, or are cut off', async () => {
    const { port } = new URL(bridge.url)
    for (const bytes of [
      '\u0000\u0001\r\n\r\n',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n["SET"',
    ]) {
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), '127.0.0.1', () => socket.end(bytes))
        socket.on('error', () => undefined)
        socket.on('close', () => resolve())
        socket.resume()
      })
    }
    expect((await ask('/ping')).body).toEqual({ result: 'PONG' })
  })
})

describe('answers', () => {
  it('encode strings in base64 when asked, but never a lone OK', async () => {
    const headers = { 'upstash-encoding': 'base64' }
    const set = await ask('/', { body: '["SET","k","é"]', headers })
    expect(set.body).toEqual({ result: 'OK' })
    const base64 = Buffer.from('é').toString('base64')
    const many = await ask('/pipeline', {
      body: '[["GET","k"],["MGET","k","no"],["STRLEN","k"]]',
      headers,
    })
    expect(many.body).toEqual([{ result: base64 }, { result: [base64, null] }, { result: 2 }])
  })

  it('give the sync token back', async () => {
    const answer = await ask('/ping', { headers: { 'upstash-sync-token': 'abc' } })
    expect(answer.headers.get('upstash-sync-token')).toBe('abc')
  })

  it('hold integers beyond 2^53 exactly', async () => {
    const response = await fetch(`${bridge.url}/incrby/big/9007199254740993`, {
      headers: { authorization: `Bearer ${bridge.token}` },
    })
    expect(await response.text()).toBe('{"result":9007199254740993}')
  })
})

describe('test controls', () => {
  const set = (fault: object) => ask('/__test/fault', { body: JSON.stringify(fault) })

  it('fail as told, as often as told', async () => {
    await set({ mode: 'error500', times: 1 })
    expect((await ask('/ping')).status).toBe(500)
    expect((await ask('/ping')).status).toBe(200)
    await set({ mode: 'refuse' })
    await expect(ask('/ping')).rejects.toThrow()
    await set({ mode: 'garbage' })
    await expect(ask('/ping')).rejects.toThrow(SyntaxError)
    await set({ mode: 'delay', delay_ms: 50 })
    const started = performance.now()
    expect((await ask('/ping')).status).toBe(200)
    expect(performance.now() - started).toBeGreaterThan(45)
    await set({ mode: 'hang' })
    await expect(fetch(`${bridge.url}/ping`, { signal: AbortSignal.timeout(50) })).rejects.toThrow()
    await set({ mode: 'ok' })
    expect((await ask('/ping')).status).toBe(200)
    expect((await set({ mode: 'no such' })).status).toBe(400)
  })

  it('count requests and commands', async () => {
    const before = bridge.stats()
    await ask('/pipeline', { body: '[["PING"],["EVAL","return redis.call([[PING]])",0]]' })
    expect((await ask('/__test/stats')).body).toEqual({
      http_requests: before.http_requests + 1,
      commands: before.commands + 2,
      script_commands: before.script_commands + 1,
    })
  })

  it('do not exist unless asked for', async () => {
    const closed = await startRedisBridge()
    const headers = { authorization: `Bearer ${closed.token}` }
    const response = await fetch(`${closed.url}/__test/stats`, { headers })
    expect(response.status).toBe(400)
    await closed.close()
  })
})

describe('the process', () => {
  it('says when it is ready and stops on SIGTERM and SIGINT', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const { child, ready, redis, ended } = await launch('--token', 'known')
      expect(ready).toEqual({ ready: true, url: ready.url, token: 'known', engine: 'embedded' })
      expect(await redis.ping()).toBe('PONG')
      child.kill(signal)
      expect(await ended).toBe(0)
    }
  })

  it('ends with its parent', async () => {
    const { child, ended } = await launch('--exit-with-parent')
    child.stdin?.end()
    expect(await ended).toBe(0)
  })
})
