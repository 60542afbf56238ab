// Five hundred requests that are wrong in every way we know: each is told so in Claude's shape and at once, the
// gateway's memory stays where it was, and the next caller notices nothing.
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { commandOf } from '../../../tools/dev/processes.ts'
import { claudeCall, isClaudeError } from '../../support/claude-call.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { type MalformedInput, malformedInputs } from '../../support/malformed-inputs.ts'
import { send } from '../../support/raw-http.ts'
import { sendUnread } from '../../support/unread-body.ts'

const ANSWER_WITHIN_MS = 1_000
/** V8 keeps freed heap for a while; a leak of the large bodies would be hundreds of MB. */
const MEMORY_GROWTH_MB = 64

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startTestGateway()
})

afterAll(() => gateway.stop())

interface Finding {
  readonly name: string
  readonly status: number
  readonly body: string
  readonly tookMs: number
}

async function tryInput(input: MalformedInput): Promise<Finding | null> {
  const { name, path, headers, chunkBytes } = input
  const answer = await sendUnread(gateway.url, {
    path,
    headers,
    body: input.body(),
    ...(chunkBytes === undefined ? {} : { chunkBytes }),
  })
  const { status, body, tookMs } = answer
  const isRefused = status >= 400 && status < 500 && isClaudeError(body)
  if (isRefused && tookMs < ANSWER_WITHIN_MS) return null
  return { name, status, body: body.toString().slice(0, 300), tookMs: Math.round(tookMs) }
}

/** One after the other: a time measured beside others would be theirs too. */
async function tryAll(inputs: readonly MalformedInput[]): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const input of inputs) {
    const finding = await tryInput(input)
    if (finding !== null) findings.push(finding)
  }
  return findings
}

/** Resident memory of the gateway's workerd, in MB. */
function memoryMb(): number {
  const pid = gateway.pids.find((candidate) => commandOf(candidate).includes('workerd'))
  if (pid === undefined) throw new Error('The gateway names no workerd among its processes')
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 'NaN') / 1024
}

async function goodCallWorks(): Promise<void> {
  const answer = await send(gateway.url, claudeCall({ key: gateway.keys.enterprise }))
  expect(answer.status).toBe(200)
}

it('each is refused in Claude’s shape within a second, and memory stays flat', async () => {
  const inputs = malformedInputs(gateway.keys.enterprise)
  expect(inputs.length).toBeGreaterThanOrEqual(500)
  expect(await tryAll(inputs)).toEqual([])
  await goodCallWorks()
  // The first round has paid for buffers and compiled code; a second must find them there.
  const warmMb = memoryMb()
  expect(await tryAll(inputs)).toEqual([])
  await goodCallWorks()
  expect(memoryMb() - warmMb).toBeLessThan(MEMORY_GROWTH_MB)
})

it('a caller that writes 50 MB in one go reads its 413, not a broken connection', async () => {
  const body = Buffer.alloc(50 * 1024 * 1024, 0x20)
  for (let round = 0; round < 4; round += 1) {
    const answer = await fetch(`${gateway.url}/v1/messages`, {
      method: 'POST',
      headers: { 'x-api-key': gateway.keys.enterprise, 'content-type': 'application/json' },
      body,
    })
    expect(answer.status).toBe(413)
    expect(answer.headers.get('sluice-reason')).toBe('body_too_large')
    expect(isClaudeError(Buffer.from(await answer.arrayBuffer()))).toBe(true)
  }
})

it('a body that ends before its declared length is no call, and harms nobody', async () => {
  const { host, hostname, port } = new URL(gateway.url)
  const sendTruncated = (): Promise<string> =>
    new Promise((resolve) => {
      let answer = ''
      const socket = connect(Number(port), hostname, () => {
        socket.end(
          `POST /v1/messages HTTP/1.1\r\nhost: ${host}\r\nx-api-key: ${gateway.keys.enterprise}\r\n` +
            'anthropic-version: 2023-06-01\r\nanthropic-sim-tag: truncated\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"model":',
        )
      })
      socket.on('data', (chunk) => (answer += chunk.toString()))
      socket.on('error', () => {})
      socket.on('close', () => resolve(answer))
    })
  const answers = await Promise.all(Array.from({ length: 20 }, sendTruncated))
  for (const answer of answers) expect(answer).toMatch(/^($|HTTP\/1\.1 4\d\d )/)
  expect(gateway.simulator.journal.list({ tag: 'truncated' })).toEqual([])
  await goodCallWorks()
})

it('a request that is not HTTP is refused, and harms nobody', async () => {
  const { hostname, port } = new URL(gateway.url)
  const say = (text: string): Promise<string> =>
    new Promise((resolve) => {
      let answer = ''
      const socket = connect(Number(port), hostname, () => socket.end(text))
      socket.on('data', (chunk) => (answer += chunk.toString()))
      socket.on('error', () => {})
      socket.on('close', () => resolve(answer))
    })
  const answers = await Promise.all(
    [
      'hello\r\n\r\n',
      '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\r\n\r\n',
      'POST /v1/messages HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}',
      'POST /v1/messages HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n',
      `GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(200_000)}\r\n\r\n`,
    ].map(say),
  )
  for (const answer of answers) expect(answer).not.toMatch(/^HTTP\/1\.1 [235]/)
  await goodCallWorks()
})
