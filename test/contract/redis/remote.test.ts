// The way to a real Redis server: the wire format in any pieces, the script flag that Redis does not know, and a
// server that goes away.
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Reply } from '../../../tools/redis/engine/reply.ts'
import { redisBackend } from '../../../tools/redis/remote/backend.ts'
import { parseRedisUrl } from '../../../tools/redis/remote/connection.ts'
import { stripKeyLocking } from '../../../tools/redis/remote/key-locking.ts'
import { RespParser, encodeCommands } from '../../../tools/redis/remote/resp.ts'

const binary = fc
  .uint8Array({ maxLength: 30 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'))
const line = binary.map((text) => text.replace(/[\r\n]/g, ''))

const reply: fc.Arbitrary<Reply> = fc.letrec<{ reply: Reply }>((tie) => ({
  reply: fc.oneof(
    { depthSize: 'small' },
    binary,
    fc.maxSafeInteger(),
    fc.constant(null),
    line.map((simple) => ({ simple })),
    line.map((failure) => ({ failure })),
    fc.array(tie('reply'), { maxLength: 4 }),
  ),
})).reply

function toWire(value: Reply): string {
  if (value === null) return '$-1\r\n'
  if (typeof value === 'string') return `$${value.length}\r\n${value}\r\n`
  if (typeof value === 'number' || typeof value === 'bigint') return `:${value}\r\n`
  if ('simple' in value) return `+${value.simple}\r\n`
  if ('failure' in value) return `-${value.failure}\r\n`
  return `*${value.length}\r\n${value.map(toWire).join('')}`
}

describe('the wire format', () => {
  it('is read back the same however it is cut into pieces', () => {
    fc.assert(
      fc.property(
        fc.array(reply),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (replies, sizes) => {
          const bytes = Buffer.from(replies.map(toWire).join(''), 'latin1')
          const parser = new RespParser()
          const read: Reply[] = []
          for (let at = 0, piece = 0; at < bytes.length; piece++) {
            const size = sizes[piece % sizes.length] ?? 1
            read.push(...parser.push(bytes.subarray(at, at + size)))
            at += size
          }
          expect(read).toEqual(replies)
        },
      ),
    )
  })

  it('writes commands as arrays of bulk strings', () => {
    expect(encodeCommands([['SET', 'k', 'ÿ\r\n'], ['PING']])).toEqual(
      Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\nÿ\r\n\r\n*1\r\n$4\r\nPING\r\n', 'latin1'),
    )
  })

  it('is refused when it is something else', () => {
    expect(() => new RespParser().push(Buffer.from('HTTP/1.1 400\r\n'))).toThrow('RESP2')
  })
})

describe('the flag of Upstash', () => {
  it.for([
    ['#!lua flags=allow-key-locking\nreturn 1', '#!lua\nreturn 1'],
    ['#!lua flags=no-writes,allow-key-locking\r\nreturn 1', '#!lua flags=no-writes\nreturn 1'],
    ['#!lua flags=no-writes\nreturn 1', '#!lua flags=no-writes\nreturn 1'],
    ['return "allow-key-locking"', 'return "allow-key-locking"'],
    ['#!lua\n-- flags=allow-key-locking', '#!lua\n-- flags=allow-key-locking'],
  ] as const)('is taken out of %j', ([script, stripped]) => {
    expect(stripKeyLocking(script)).toBe(stripped)
  })
})

describe('an address', () => {
  it('gives host, port, credentials and database', () => {
    expect(parseRedisUrl('redis://user:p%40ss@example.test:7000/3')).toEqual({
      host: 'example.test',
      port: 7000,
      greeting: [
        ['AUTH', 'user', 'p@ss'],
        ['SELECT', '3'],
      ],
    })
    expect(parseRedisUrl('redis://127.0.0.1')).toEqual({
      host: '127.0.0.1',
      port: 6379,
      greeting: [],
    })
    for (const bad of ['', 'http://x', 'redis://', '127.0.0.1:6379']) {
      expect(() => parseRedisUrl(bad)).toThrow('A Redis address has the form')
    }
  })
})

/** Answers PONG to anything until it is told to hang up. */
async function openServer(): Promise<{ server: Server; sockets: Set<Socket>; url: string }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      const commands = bytes.toString('latin1').match(/^\*\d+\r$/gm)?.length ?? 0
      if (bytes.includes('HANGUP')) socket.destroy()
      else socket.write('+PONG\r\n'.repeat(commands))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, sockets, url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

describe('a connection', () => {
  it('fails what was under way when it is lost, and is opened again', async () => {
    const { server, url } = await openServer()
    const backend = await redisBackend(url)
    const first = backend.pipeline([['HANGUP']])
    await expect(first).rejects.toThrow('The connection to Redis was lost')
    expect(
      await backend.pipeline([
        ['GET', 'k'],
        ['GET', 'k'],
      ]),
    ).toEqual([{ simple: 'PONG' }, { simple: 'PONG' }])
    await backend.close()
    await new Promise((resolve) => server.close(resolve))
  })

  it('says so when nobody listens', async () => {
    const { server, url } = await openServer()
    await new Promise((resolve) => server.close(resolve))
    await expect(redisBackend(url)).rejects.toThrow('Cannot reach Redis')
  })

  it('is kept from commands that would change it for everybody', async () => {
    const { server, url } = await openServer()
    const backend = await redisBackend(url)
    expect(await backend.pipeline([['select', '1'], ['PING'], ['SUBSCRIBE', 'c']])).toEqual([
      { failure: "ERR Command is not available: 'SELECT'" },
      { simple: 'PONG' },
      { failure: "ERR Command is not available: 'SUBSCRIBE'" },
    ])
    expect(await backend.transaction([['PING'], ['MULTI']])).toHaveProperty('failure')
    await backend.close()
    await new Promise((resolve) => server.close(resolve))
  })
})
