// `npm run dev` as the contract has it: what it prints, what it starts and stops, what outlives it.
import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { findChildren, isAlive } from '../../tools/dev/processes.ts'
import type { ReadyLine } from '../../tools/dev/state.ts'
import { startRedisBridge } from '../../tools/redis/server.ts'
import { startSimulator } from '../../tools/simulator/server.ts'
import { eventually } from '../support/eventually.ts'
import { type DevOptions, spawnDev, startDev, StartRefused } from '../support/gateway-process.ts'

const READY_WITHIN_MS = 10_000
const GONE_WITHIN_MS = 5_000
const SETTLED_WITHIN_MS = 10_000
const REDIS_SERVER = '/usr/bin/redis-server'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-dev-'))
  ends.push(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }))
  return dir
}

async function start(options: DevOptions) {
  const dev = await startDev(options)
  ends.push(() => dev.stop())
  return dev
}

const areGone = (pids: readonly number[]) =>
  eventually(
    () => pids.filter(isAlive),
    (alive) => alive.length === 0,
    { withinMs: GONE_WITHIN_MS },
  )

function descendants(pid: number): number[] {
  return findChildren(pid, '').flatMap((child) => [child, ...descendants(child)])
}

interface Asked {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

const post = ({ url, keys }: ReadyLine, more: Record<string, unknown>): Promise<Response> =>
  fetch(`${url}/v1/messages`, {
    method: 'POST',
    headers: {
      'x-api-key': keys.premium,
      'anthropic-version': '2023-06-01',
      'content-type': 'application/json',
    },
    body: JSON.stringify({
      model: 'claude-haiku-4-5',
      max_tokens: 8,
      messages: [{ role: 'user', content: 'Hello' }],
      ...more,
    }),
  })

async function ask(ready: ReadyLine, more: Record<string, unknown> = {}): Promise<Asked> {
  const response = await post(ready, more)
  return { status: response.status, headers: response.headers, text: await response.text() }
}

async function requestsCounted({ url, keys }: ReadyLine): Promise<number> {
  const response = await fetch(`${url}/v1/usage`, { headers: { 'x-api-key': keys.premium } })
  const { data } = (await response.json()) as { data: { requests: number }[] }
  return data.reduce((sum, row) => sum + row.requests, 0)
}

/** Usage is written after the answer: it is acknowledged once it is shown. */
const counted = (ready: ReadyLine, wanted: number): Promise<number> =>
  eventually(
    () => requestsCounted(ready),
    (count) => count >= wanted,
    { withinMs: SETTLED_WITHIN_MS },
  )

/** What the hour's window has left: it lies in Redis. */
const hourLeft = ({ headers }: Asked): number =>
  Number(/"hour";r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1])

async function freePort(): Promise<number> {
  const server = createTcpServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe('when it is ready', () => {
  test('prints one JSON line, the same as in dev.json, within ten seconds', async () => {
    const dir = newDir()
    const { ready, stdout, stderr, readyAfterMs } = await start({ dir })
    console.log(`ready after ${readyAfterMs} ms`)
    expect(readyAfterMs).toBeLessThan(READY_WITHIN_MS)
    const key = expect.stringMatching(
      /^slk_[0-9A-Za-z]{10}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$/,
    ) as string
    expect(ready).toEqual({
      ready: true,
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string,
      admin_token: expect.stringMatching(/^.{32,}$/) as string,
      keys: { free: key, premium: key, enterprise: key },
      redis: 'embedded',
      upstream: 'simulator',
      pids: expect.arrayContaining([expect.any(Number)]) as number[],
    })
    expect(stdout()).toBe(`${JSON.stringify(ready)}\n`)
    expect(stderr()).toBe('')
    expect(new Set(Object.values(ready.keys)).size).toBe(3)
    expect(ready.pids.filter(isAlive)).toEqual(ready.pids)
    expect((await ask(ready)).status).toBe(200)
    for (const name of ['dev.json', 'secrets.json']) {
      expect(statSync(join(dir, name)).mode & 0o077, `others may read ${name}`).toBe(0)
    }
  })

  test('without --direct and --json prints a curl line that streams an answer', async () => {
    const { ready, stdout } = await start({ dir: newDir(), direct: false, json: false })
    const text = stdout()
    const wanted = [ready.url, ready.admin_token, ...Object.values(ready.keys)]
    for (const part of [...wanted, `export ANTHROPIC_BASE_URL=${ready.url}`, '/dashboard']) {
      expect(text).toContain(part)
    }
    const command = /^ *(curl [^]*?[^\\])\n\n/m.exec(text)?.[1] ?? ''
    const answer = await promisify(execFile)('sh', ['-c', command])
    expect(answer.stdout).toContain('event: message_stop')
  })
})

describe('when it is stopped', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'by %s it ends every process and says 0',
    async (signal) => {
      const { ready, stop, child } = await start({ dir: newDir() })
      const all = new Set([...ready.pids, ...descendants(child.pid ?? 0)])
      expect(await stop(signal)).toBe(0)
      expect(await areGone([...all])).toEqual([])
    },
  )

  test('in mid-stream it does not wait for the stream', async () => {
    const { ready, stop } = await start({ dir: newDir() })
    const response = await post(ready, {
      stream: true,
      max_tokens: 4_000,
      messages: [{ role: 'user', content: '[sim:tokens=4000][sim:gap=50]' }],
    })
    const reader = response.body?.getReader()
    await reader?.read()
    expect(await stop()).toBe(0)
    expect(await areGone(ready.pids)).toEqual([])
    await reader?.cancel().catch(() => {})
  })

  test('while it starts it leaves nothing behind', async () => {
    const { child, gone } = spawnDev({ dir: newDir() })
    const pid = child.pid ?? 0
    const isThere = (count: number) => count > 0
    await eventually(() => findChildren(pid, 'workerd').length, isThere, { withinMs: 10_000 })
    const all = descendants(pid)
    child.kill('SIGTERM')
    await gone
    expect(await areGone([pid, ...all])).toEqual([])
  })

  test('it stops when one of its parts ends by itself', async () => {
    const { ready, child, stderr } = await start({ dir: newDir() })
    const [simulator = 0] = findChildren(child.pid ?? 0, 'tools/simulator')
    const gone = new Promise<number | null>((resolve) => child.once('close', resolve))
    process.kill(simulator, 'SIGKILL')
    expect(await gone).toBe(1)
    expect(stderr()).toContain('simulator ended by itself')
    expect(await areGone(ready.pids)).toEqual([])
  })
})

describe('when it is started again on the same state', () => {
  test('the keys and the admin token are the same, and the keys still work', async () => {
    const dir = newDir()
    const first = await start({ dir })
    await first.stop()
    const second = await start({ dir })
    expect(second.ready.keys).toEqual(first.ready.keys)
    expect(second.ready.admin_token).toBe(first.ready.admin_token)
    expect((await ask(second.ready)).status).toBe(200)
  })

  test('after kill -9 the same port is free, and nothing that was acknowledged is lost', async () => {
    const dir = newDir()
    const port = await freePort()
    const first = await start({ dir, port })
    let last = await ask(first.ready)
    for (let i = 0; i < 4; i++) last = await ask(first.ready)
    expect(last.status).toBe(200)
    expect(await counted(first.ready, 5)).toBe(5)
    await first.stop('SIGKILL')
    expect(await areGone(first.ready.pids)).toEqual([])

    const second = await start({ dir, port })
    expect(second.ready.url).toBe(`http://127.0.0.1:${port}`)
    expect(second.ready.keys).toEqual(first.ready.keys)
    const next = await ask(second.ready)
    expect(next.status).toBe(200)
    expect(hourLeft(next)).toBe(hourLeft(last) - 1)
    expect(await counted(second.ready, 6)).toBe(6)
  })

  test('while it runs the second start is refused and the first goes on', async () => {
    const dir = newDir()
    const first = await start({ dir })
    const refusal = await refused({ dir })
    expect(refusal.code).toBe(1)
    expect(refusal.stderr).toMatch(/another gateway runs/)
    expect((await ask(first.ready)).status).toBe(200)
  })
})

describe('when the environment names a part', () => {
  test('ANTHROPIC_BASE_URL: no simulator is started; any other setting holds too', async () => {
    const simulator = await startSimulator()
    ends.push(() => simulator.close())
    const { ready, child } = await start({
      dir: newDir(),
      env: {
        ANTHROPIC_BASE_URL: simulator.url,
        ANTHROPIC_API_KEY: 'sk-ant-sim-mine',
        SLUICE_BODY_MAX_BYTES: '150',
      },
    })
    expect(ready.upstream).toBe(simulator.url)
    expect(findChildren(child.pid ?? 0, 'tools/simulator')).toEqual([])
    expect((await ask(ready)).status).toBe(200)
    expect(simulator.journal.list().map(({ org }) => org)).toEqual(['mine'])
    const large = await ask(ready, { system: 'x'.repeat(200) })
    expect([large.status, large.headers.get('sluice-reason')]).toEqual([413, 'body_too_large'])
  })

  test('UPSTASH_REDIS_REST_URL: no Redis is started', async () => {
    const redis = await startRedisBridge()
    ends.push(() => redis.close())
    const { ready, child } = await start({
      dir: newDir(),
      env: { UPSTASH_REDIS_REST_URL: redis.url, UPSTASH_REDIS_REST_TOKEN: redis.token },
    })
    expect(ready.redis).toBe(redis.url)
    expect(findChildren(child.pid ?? 0, 'tools/redis')).toEqual([])
    const before = redis.stats().commands
    expect((await ask(ready)).status).toBe(200)
    expect(redis.stats().commands).toBeGreaterThan(before)
  })

  const noRedis = existsSync(REDIS_SERVER) ? '' : `: skipped, there is no ${REDIS_SERVER}`
  test.skipIf(noRedis !== '')(
    `REDIS_URL: that server lies behind the bridge${noRedis}`,
    async () => {
      const port = await freePort()
      const flags = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', newDir()]
      const server = spawn(REDIS_SERVER, flags, { stdio: ['ignore', 'pipe', 'ignore'] })
      ends.push(() => server.kill('SIGKILL'))
      let said = ''
      server.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString()
      })
      const isReady = (text: string) => text.includes('Ready to accept connections')
      await eventually(() => said, isReady, { withinMs: 10_000 })
      const url = `redis://127.0.0.1:${port}`
      const { ready } = await start({ dir: newDir(), env: { REDIS_URL: url } })
      expect(ready.redis).toBe(url)
      const first = await ask(ready)
      expect(hourLeft(await ask(ready))).toBe(hourLeft(first) - 1)
      expect(await (await fetch(`${ready.url}/ready`)).json()).toMatchObject({
        redis: { state: 'ok' },
      })
    },
  )
})

describe('when it cannot start', () => {
  test('it lists every bad setting at once, and the value of none that is secret', async () => {
    const dir = newDir()
    const { code, stderr } = await refused({
      dir,
      env: {
        ADMIN_TOKEN: 'short-and-secret',
        KEY_PEPPER: 'also-secret',
        ANTHROPIC_ACCOUNTS: '[{"id":"one","api_key":"sk-ant-very-secret","weight":"heavy"}]',
        SLUICE_QUEUE_LENGTH: 'many',
        SLUICE_BREAKER_FAILURE_RATIO: '7',
        SLUICE_UNHEARD_OF: '1',
      },
    })
    expect(code).toBe(1)
    for (const name of [
      'ADMIN_TOKEN',
      'KEY_PEPPER',
      'ANTHROPIC_ACCOUNTS',
      'SLUICE_QUEUE_LENGTH',
      'SLUICE_BREAKER_FAILURE_RATIO',
      'SLUICE_UNHEARD_OF',
    ]) {
      expect(stderr).toContain(name)
    }
    for (const secret of ['short-and-secret', 'also-secret', 'sk-ant-very-secret']) {
      expect(stderr).not.toContain(secret)
    }
  })

  test('a port that is taken ends it, and leaves nothing behind', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ends.push(() => server.close())
    const { port } = server.address() as AddressInfo
    const { child, gone, stderr } = spawnDev({ dir: newDir(), port })
    const seen = new Set<number>()
    const look = setInterval(() => descendants(child.pid ?? 0).forEach((pid) => seen.add(pid)), 50)
    expect(await gone).toBe(1)
    clearInterval(look)
    expect(stderr()).toContain(`Port ${port} is taken`)
    expect(seen.size).toBeGreaterThan(0)
    expect(await areGone([...seen])).toEqual([])
  })

  test('a port that is no port is refused', async () => {
    const { code, stderr } = await refused({ dir: newDir(), port: 70_000 })
    expect([code, stderr]).toEqual([1, expect.stringContaining('70000')])
  })
})

async function refused(options: DevOptions): Promise<StartRefused> {
  try {
    await start(options)
  } catch (error) {
    if (error instanceof StartRefused) return error
    throw error
  }
  throw new Error('The gateway started')
}
