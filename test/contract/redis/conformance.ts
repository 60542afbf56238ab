// What every Redis of ours must do for the unchanged clients @upstash/redis and @upstash/ratelimit: one suite for the
// embedded engine, with and without persistence, and for a real server behind the bridge.
import { createHash } from 'node:crypto'
import { Redis } from '@upstash/redis'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { describeCollections } from './conformance-collections.ts'
import { describeLimits } from './conformance-limits.ts'

export interface RedisUnderTest {
  readonly url: string
  readonly token: string
  stats(): { readonly http_requests: number }
  close(): Promise<void>
}

export interface Subject {
  readonly redis: Redis
  /** Without the client's JSON parsing. */
  readonly raw: Redis
  readonly server: RedisUnderTest
}

const sha1Hex = (text: string): string => createHash('sha1').update(text).digest('hex')

export function describeRedisConformance(name: string, start: () => Promise<RedisUnderTest>): void {
  describe(name, () => {
    const subject = {} as { -readonly [K in keyof Subject]: Subject[K] }

    beforeAll(async () => {
      subject.server = await start()
      const { url, token } = subject.server
      const options = { url, token, retry: false, enableTelemetry: false } as const
      subject.redis = new Redis(options)
      subject.raw = new Redis({ ...options, automaticDeserialization: false })
    })
    beforeEach(() => subject.redis.flushall())
    afterAll(() => subject.server.close())

    describeStrings(subject)
    describeKeys(subject)
    describeTransport(subject)
    describeScripts(subject)
    describeCollections(subject)
    describeLimits(subject)
  })
}

function describeStrings(subject: Subject): void {
  it('keeps strings, objects and numbers as the client sent them', async () => {
    const { redis, raw } = subject
    const values = ['text', '', '007', 'OK', 'T0s=', 'grüße 日本 👋🏽 \u0000\u001f', '{"a":1}']
    for (const value of values) {
      await raw.set('k', value)
      expect(await raw.get('k')).toBe(value)
    }
    await redis.set('o', { deep: [1, { é: null }], text: 'ü' })
    expect(await redis.get('o')).toEqual({ deep: [1, { é: null }], text: 'ü' })
    await redis.set('n', 12.5)
    expect(await redis.get('n')).toBe(12.5)
    expect(await redis.get('absent')).toBeNull()
  })

  it('keeps a value of several hundred kilobytes', async () => {
    const large = 'é0123456789'.repeat(50_000)
    await subject.raw.set('large', large)
    expect(await subject.raw.get('large')).toBe(large)
    expect(await subject.raw.strlen('large')).toBe(Buffer.byteLength(large))
  })

  it('obeys the options of SET', async () => {
    const { redis } = subject
    expect(await redis.set('k', 'a', { xx: true })).toBeNull()
    expect(await redis.set('k', 'a', { nx: true })).toBe('OK')
    expect(await redis.set('k', 'b', { nx: true })).toBeNull()
    expect(await redis.set('k', 'b', { get: true })).toBe('a')
    expect(await redis.set('k', 'c', { ex: 100 })).toBe('OK')
    expect(await redis.set('k', 'd', { keepTtl: true })).toBe('OK')
    expect(await redis.ttl('k')).toBe(100)
    expect(await redis.set('k', 'e', { pxat: 4_102_444_800_000 })).toBe('OK')
    expect(await redis.exec(['PEXPIRETIME', 'k'])).toBe(4_102_444_800_000)
    expect(await redis.set('k', 'f')).toBe('OK')
    expect(await redis.ttl('k')).toBe(-1)
  })

  it('counts, also beyond 32 bits, and refuses what is no number', async () => {
    const { redis } = subject
    expect(await redis.incr('n')).toBe(1)
    expect(await redis.incrby('n', 3_000_000_000)).toBe(3_000_000_001)
    expect(await redis.decrby('n', 2)).toBe(2_999_999_999)
    expect(await redis.incrbyfloat('f', 0.5)).toBe(0.5)
    await redis.set('text', 'x')
    await expect(redis.incr('text')).rejects.toThrow('ERR value is not an integer or out of range')
    await redis.set('most', '9223372036854775807')
    await expect(redis.incr('most')).rejects.toThrow('ERR increment or decrement would overflow')
  })

  it('reads and changes parts of a string', async () => {
    const { redis } = subject
    expect(await redis.append('k', 'Hello')).toBe(5)
    expect(await redis.setrange('k', 6, 'World')).toBe(11)
    expect(await redis.getrange('k', -5, -1)).toBe('World')
    expect(await redis.strlen('k')).toBe(11)
    expect(await redis.getdel('k')).toBe('Hello\0World')
    expect(await redis.exists('k')).toBe(0)
    await redis.mset({ a: 1, b: 2 })
    expect(await redis.mget('a', 'absent', 'b')).toEqual([1, null, 2])
    expect(await redis.msetnx({ b: 3, c: 3 })).toBe(0)
  })
}

function describeKeys(subject: Subject): void {
  it('lets keys expire, and tells how long they last', async () => {
    const { redis } = subject
    await redis.set('k', 1, { px: 40 })
    expect(await redis.pttl('k')).toBeGreaterThan(0)
    await expect.poll(() => redis.exists('k'), { interval: 5 }).toBe(0)
    expect(await redis.get('k')).toBeNull()
    expect(await redis.ttl('k')).toBe(-2)
    await redis.hset('h', { a: 1 })
    expect(await redis.expire('h', 100)).toBe(1)
    expect(await redis.expire('h', 50, 'GT')).toBe(0)
    expect(await redis.persist('h')).toBe(1)
    expect(await redis.ttl('h')).toBe(-1)
    expect(await redis.expire('h', -1)).toBe(1)
    expect(await redis.exists('h')).toBe(0)
    await redis.set('g', 1)
    expect(await redis.getex('g', { ex: 100 })).toBe(1)
    expect(await redis.ttl('g')).toBe(100)
  })

  it('renames, copies, types and deletes keys', async () => {
    const { redis } = subject
    await redis.hset('h', { a: 1 })
    expect(await redis.copy('h', 'i')).toBe('COPIED')
    await redis.hset('i', { a: 2 })
    expect(await redis.hget('h', 'a')).toBe(1)
    expect(await redis.rename('i', 'j')).toBe('OK')
    expect(await redis.type('j')).toBe('hash')
    expect(await redis.type('i')).toBe('none')
    expect(await redis.unlink('h', 'j', 'absent')).toBe(2)
    expect(await redis.dbsize()).toBe(0)
    await expect(redis.rename('absent', 'x')).rejects.toThrow('ERR no such key')
  })

  it('scans every key exactly once, also when keys are deleted on the way', async () => {
    const { redis } = subject
    const names = Array.from({ length: 300 }, (_, at) => `scan:${at}`)
    await redis.mset(Object.fromEntries(names.map((name) => [name, 1])))
    await redis.set('other', 1)
    const seen: string[] = []
    let cursor = '0'
    do {
      const [next, keys] = await redis.scan(cursor, { match: 'scan:*', count: 20 })
      seen.push(...keys)
      if (keys.length > 0) await redis.del(...keys)
      cursor = next
    } while (cursor !== '0')
    expect(seen.toSorted()).toEqual(names.toSorted())
    expect(await redis.keys('*')).toEqual(['other'])
  })
}

function describeTransport(subject: Subject): void {
  it('answers a pipeline in order, errors at their place', async () => {
    const { redis } = subject
    const pipeline = redis.pipeline()
    pipeline.set('s', 'x').incr('s').get('s')
    const results = await pipeline.exec({ keepErrors: true })
    expect(results[0]?.result).toBe('OK')
    expect(results[1]?.error).toBe('ERR value is not an integer or out of range')
    expect(results[2]?.result).toBe('x')
  })

  it('takes commands issued together in fewer requests', async () => {
    const { redis, server } = subject
    const before = server.stats().http_requests
    const counted = await Promise.all(Array.from({ length: 50 }, () => redis.incr('n')))
    expect(counted.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, at) => at + 1))
    expect(server.stats().http_requests - before).toBeLessThan(5)
  })

  it('runs a transaction whole, or not at all when a command cannot be queued', async () => {
    const { redis } = subject
    const results = await redis
      .multi()
      .set('a', 1)
      .incr('a')
      .hset('h', { f: 'é' })
      .hgetall('h')
      .exec()
    expect(results).toEqual(['OK', 2, 1, { f: 'é' }])
    await expect(postTransaction(subject, [['SET', 'b', '1'], ['GET']])).resolves.toEqual({
      status: 400,
      body: { error: 'EXECABORT Transaction discarded because of previous errors.' },
    })
    expect(await redis.exists('b')).toBe(0)
    await redis.set('text', 'x')
    const mixed = await postTransaction(subject, [
      ['INCR', 'text'],
      ['SET', 'after', '1'],
    ])
    expect(mixed.body).toEqual([
      { error: 'ERR value is not an integer or out of range' },
      { result: 'OK' },
    ])
  })

  it('answers without base64 when the client asks for none', async () => {
    const { url, token } = subject.server
    const plain = new Redis({ url, token, responseEncoding: false, retry: false })
    await plain.set('k', { text: 'grüße 👋' })
    expect(await plain.get('k')).toEqual({ text: 'grüße 👋' })
    expect(await plain.mget('k', 'absent')).toEqual([{ text: 'grüße 👋' }, null])
  })

  it('refuses an unknown command, a wrong count and a wrong type in the words of Redis', async () => {
    const { redis } = subject
    await redis.set('s', 'x')
    await expect(redis.exec(['NOSUCH', 'a'])).rejects.toThrow("ERR unknown command 'NOSUCH'")
    await expect(redis.exec(['GET'])).rejects.toThrow(
      "ERR wrong number of arguments for 'get' command",
    )
    await expect(redis.exec(['SET', 'k', 'v', 'BAD'])).rejects.toThrow('ERR syntax error')
    await expect(redis.lpush('s', 'x')).rejects.toThrow(
      'WRONGTYPE Operation against a key holding the wrong kind of value',
    )
  })
}

async function postTransaction(subject: Subject, commands: readonly (readonly string[])[]) {
  const response = await fetch(`${subject.server.url}/multi-exec`, {
    method: 'POST',
    headers: { authorization: `Bearer ${subject.server.token}` },
    body: JSON.stringify(commands),
  })
  return { status: response.status, body: await response.json() }
}

function describeScripts(subject: Subject): void {
  it('runs scripts by text and by hash, and asks for the text of an unknown one', async () => {
    const { redis } = subject
    const text = `return {KEYS[1], ARGV[1], ${Math.random()} > 2, 3.9, {1, {2, nil, 3}}}`
    const sha1 = sha1Hex(text)
    await expect(redis.evalsha(sha1, ['k'], ['v'])).rejects.toThrow('NOSCRIPT')
    const expected = ['k', 'v', null, 3, [1, [2]]]
    expect(await redis.eval(text, ['k'], ['v'])).toEqual(expected)
    expect(await redis.evalsha(sha1, ['k'], ['v'])).toEqual(expected)
    expect(await redis.scriptLoad(text)).toBe(sha1)
    expect(await redis.scriptExists(sha1, 'f'.repeat(40))).toEqual([1, 0])
  })

  it('maps the hash of a script that carries the flag of Upstash', async () => {
    const { redis } = subject
    const text = `#!lua flags=allow-key-locking\nreturn redis.call('INCRBY', KEYS[1], 2) -- ${Math.random()}`
    const script = redis.createScript(text)
    expect(await script.exec(['n'], [])).toBe(2)
    expect(await script.evalsha(['n'], [])).toBe(4)
    const other = `${text} -- other`
    expect(await redis.scriptLoad(other)).toBe(sha1Hex(other))
  })

  it('keeps bytes that are no text', async () => {
    const { redis, server } = subject
    await redis.eval("redis.call('SET', KEYS[1], string.char(0, 255, 10, 200))", ['b'], [])
    expect(await redis.strlen('b')).toBe(4)
    const response = await fetch(`${server.url}/get/b`, {
      headers: { authorization: `Bearer ${server.token}`, 'upstash-encoding': 'base64' },
    })
    expect(await response.json()).toEqual({
      result: Buffer.from([0, 255, 10, 200]).toString('base64'),
    })
  })

  it('counts in doubles, as Lua 5.1 does', async () => {
    const { raw } = subject
    const script =
      "return {tostring(10 / 2), 2147483647 * 2, ARGV[1] * 2 + 1000, string.format('%d', 1700000000000), 7 .. ''}"
    expect(await raw.eval(script, [], ['2592000000'])).toEqual([
      '5',
      4294967294,
      5184001000,
      '1700000000000',
      '7',
    ])
  })

  it('tells an error of a script, and lets a script catch one', async () => {
    const { redis } = subject
    await redis.set('s', 'x')
    await expect(redis.eval("return redis.call('INCR', 's')", [], [])).rejects.toThrow(
      'ERR value is not an integer or out of range',
    )
    await expect(redis.eval('return nothing', [], [])).rejects.toThrow('nonexistent global')
    await expect(redis.eval('return (', [], [])).rejects.toThrow('Error compiling script')
    expect(await redis.eval("return redis.pcall('INCR', 's').err", [], [])).toContain(
      'not an integer',
    )
    await expect(redis.eval("return redis.error_reply('MINE own')", [], [])).rejects.toThrow(
      'MINE own',
    )
  })

  it('gives scripts JSON', async () => {
    const { redis } = subject
    const text =
      "local t = cjson.decode(ARGV[1]); t.n = t.n + 1; t.list[3] = 'é'; return cjson.encode(t.list) .. t.n .. tostring(t.none == cjson.null)"
    const argument = JSON.stringify({ n: 1, list: ['a/b', { x: 'ü' }], none: null })
    expect(await subject.raw.eval(text, [], [argument])).toBe('["a\\/b",{"x":"ü"},"é"]2true')
    expect(await redis.eval('return cjson.encode({})', [], [])).toEqual({})
  })
}
