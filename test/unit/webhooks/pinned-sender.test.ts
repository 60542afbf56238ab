// The sender of a process that shares its machine's network: it connects to the address that it looked at, and to no other.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import { createServer as createTcp, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pinnedWebhookSender } from '../../../src/adapters/node/webhook-sender.ts'
import type { WebhookMessage } from '../../../src/ports/webhooks.ts'

const NAME = 'hooks.example.com'
/** Makes the certificate of this test: a key in the repository would be one that somebody trusts one day. */
const hasOpenssl = spawnSync('openssl', ['version']).status === 0
let dir: string
let ca: string
let server: Server
let port: number
let connections = 0
let answer: (url: string) => { status: number; headers?: Record<string, string> } = () => ({
  status: 204,
})
const seen: { host: string | undefined; url: string | undefined; servername: unknown }[] = []

beforeAll(async () => {
  if (!hasOpenssl) return
  dir = mkdtempSync(join(tmpdir(), 'sluice-tls-'))
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
  execFileSync(
    'openssl',
    `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ${key} -out ${cert}
      -days 2 -subj /CN=${NAME} -addext subjectAltName=DNS:${NAME}`.split(/\s+/),
    { stdio: 'ignore' },
  )
  ca = readFileSync(cert, 'utf8')
  server = createServer({ key: readFileSync(key), cert: ca }, (request, response) => {
    const { host } = request.headers
    seen.push({ host, url: request.url, servername: Reflect.get(request.socket, 'servername') })
    request.resume().on('end', () => {
      const { status, headers = {} } = answer(request.url ?? '')
      response.writeHead(status, headers).end()
    })
  })
  server.on('connection', () => (connections += 1))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(() => {
  if (!hasOpenssl) return
  server.close()
  rmSync(dir, { recursive: true })
})

const message = (change: Partial<WebhookMessage> = {}): WebhookMessage => ({
  url: `https://${NAME}:${port}/in?x=1`,
  isExempt: false,
  headers: { 'content-type': 'application/json', 'webhook-id': 'msg_1' },
  body: '{}',
  timeoutMs: 2_000,
  ...change,
})
/** As if the machine's loopback were the public internet. */
const anywhere = () => true

describe.skipIf(!hasOpenssl)('a webhook to a name (skipped where there is no openssl)', () => {
  it('goes to the address that was looked up, under its own name', async () => {
    const asked: string[] = []
    const send = pinnedWebhookSender({
      ca,
      isPublic: anywhere,
      resolve: async (name) => {
        asked.push(name)
        return ['127.0.0.1']
      },
    })
    expect(await send(message())).toEqual({ kind: 'answered', status: 204, retryAfter: null })
    // Once: what was looked at is what is connected to.
    expect(asked).toEqual([NAME])
    expect(seen.at(-1)).toEqual({ host: `${NAME}:${port}`, url: '/in?x=1', servername: NAME })
  })

  it.each([
    [['127.0.0.1']],
    [['10.0.0.1']],
    [['93.184.216.34', '127.0.0.1']],
    [['::1']],
    [['::ffff:127.0.0.1']],
    [['fd00::1', '2606:4700::1']],
    [['169.254.169.254']],
  ])('that leads to %j is not sent: nobody sees a connection', async (addresses) => {
    const before = connections
    const send = pinnedWebhookSender({ ca, resolve: async () => addresses })
    expect(await send(message())).toEqual({ kind: 'failed', error: 'address_refused' })
    expect(connections).toBe(before)
  })

  it('that changes between two looks is judged at each try', async () => {
    const before = connections
    let tries = 0
    const send = pinnedWebhookSender({
      ca,
      isPublic: (address) => address !== '127.0.0.1',
      resolve: async () => [(tries += 1) === 1 ? '127.0.0.2' : '127.0.0.1'],
    })
    // Nothing listens at the first; the second is the one that an attacker wanted.
    expect(await send(message())).toEqual({ kind: 'failed', error: 'connection' })
    expect(await send(message())).toEqual({ kind: 'failed', error: 'address_refused' })
    expect(connections).toBe(before)
  })

  it('whose certificate is of another name is not sent', async () => {
    const before = seen.length
    const send = pinnedWebhookSender({ ca, isPublic: anywhere, resolve: async () => ['127.0.0.1'] })
    const other = message({ url: `https://other.example.com:${port}/` })
    expect(await send(other)).toEqual({ kind: 'failed', error: 'connection' })
    expect(seen).toHaveLength(before)
  })

  it('follows no redirect, and passes retry-after on', async () => {
    answer = () => ({ status: 307, headers: { location: '/elsewhere', 'retry-after': '7' } })
    const before = seen.length
    const send = pinnedWebhookSender({ ca, isPublic: anywhere, resolve: async () => ['127.0.0.1'] })
    expect(await send(message())).toEqual({ kind: 'answered', status: 307, retryAfter: '7' })
    expect(seen).toHaveLength(before + 1)
  })

  it('ends in time when its resolver or its receiver does not', async () => {
    const silent = createTcp(() => {}).listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    const { port: deaf } = silent.address() as AddressInfo
    const url = `http://127.0.0.1:${deaf}/`
    const resolvers = [async () => ['127.0.0.1'], () => new Promise<string[]>(() => {})]
    for (const resolve of resolvers) {
      const send = pinnedWebhookSender({ resolve })
      const given = resolve === resolvers[0] ? { url, isExempt: true } : {}
      const sent = await send(message({ ...given, timeoutMs: 100 }))
      expect(sent).toEqual({ kind: 'failed', error: 'timeout' })
    }
    silent.close()
  })
})
