// Whether an address takes connections, as a process without Cloudflare's platform finds out, and what the upstream
// adapter makes of it. In workerd the same is proven end to end (test/e2e/failures/failover.test.ts).
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { anthropicUpstream } from '../../src/adapters/anthropic/upstream.ts'
import { openConnection } from '../../src/adapters/node/open-connection.ts'
import { type BlackHole, openBlackHole } from '../support/black-hole.ts'
import { anAccount } from './account-gates.ts'

let hole: BlackHole
let server: Server
let port: number

beforeAll(async () => {
  hole = await openBlackHole()
  server = createServer((_, response) => response.end('{}'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(async () => {
  hole.stop()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const PENDING = 'pending'
const within = <T>(ms: number, work: Promise<T>): Promise<T | typeof PENDING> =>
  Promise.race([
    work,
    new Promise<typeof PENDING>((resolve) => setTimeout(() => resolve(PENDING), ms)),
  ])
const never = new AbortController().signal
const at = (baseUrl: string) => ({ ...anAccount('a'), baseUrl })

describe('a connection', () => {
  it('opens where somebody listens', async () => {
    await openConnection({ hostname: '127.0.0.1', port }, never)
  })

  it('hangs on a black hole, until nobody wants it any more', async () => {
    const stop = new AbortController()
    const opening = openConnection({ hostname: '127.0.0.1', port: hole.port }, stop.signal)
    expect(await within(300, opening)).toBe(PENDING)
    stop.abort()
  })

  it('is refused where nobody listens', async () => {
    const closed = createServer()
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
    const free = (closed.address() as AddressInfo).port
    await new Promise((resolve) => closed.close(resolve))
    await expect(openConnection({ hostname: '127.0.0.1', port: free }, never)).rejects.toThrow()
    const upstream = anthropicUpstream({ openConnection })
    // That is an answer: the call itself hears it too.
    await upstream.reach(at(`http://127.0.0.1:${free}`), never)
  })
})

describe('an upstream', () => {
  it('is reached where it listens, and not where handshakes hang', async () => {
    const upstream = anthropicUpstream({ openConnection })
    await upstream.reach(at(`http://127.0.0.1:${port}`), never)
    expect(await within(300, upstream.reach(at(hole.url), never))).toBe(PENDING)
  })

  it('that has just answered is not tried', async () => {
    const tried: number[] = []
    const upstream = anthropicUpstream({
      openConnection: async (address) => void tried.push(address.port),
    })
    const account = at(`http://127.0.0.1:${port}`)
    await upstream.reach(account, never)
    await upstream.send(account, {
      method: 'GET',
      target: '/v1/models',
      headers: {},
      body: null,
      signal: never,
    })
    await upstream.reach(account, never)
    expect(tried).toEqual([port])
  })

  it('has the usual port of its scheme, and an IPv6 address without brackets', async () => {
    const tried: unknown[] = []
    const upstream = anthropicUpstream({
      openConnection: async (address) => void tried.push(address),
    })
    for (const url of ['https://claude.example', 'http://claude.example', 'http://[::1]:8080']) {
      await upstream.reach(at(url), never)
    }
    expect(tried).toEqual([
      { hostname: 'claude.example', port: 443 },
      { hostname: 'claude.example', port: 80 },
      { hostname: '::1', port: 8080 },
    ])
  })
})
