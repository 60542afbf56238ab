// Claude's stream reaches the caller byte for byte, however the network cut it on the way.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claudeCall } from '../../support/claude-call.ts'
import { OWN_STREAMS } from '../../support/own-streams.ts'
import { send } from '../../support/raw-http.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'

const recordings = join(import.meta.dirname, '../../../../shared/data/claude-api-captures/sse')
const hasRecordings = existsSync(recordings)
const recorded = hasRecordings
  ? readdirSync(recordings).filter((name) => name.endsWith('.sse'))
  : []

const SPLITS = [null, 1, 3, 300] as const
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startTestGateway()
})

afterAll(() => gateway.stop())

async function relayed(stream: Buffer, split: number | null): Promise<Buffer> {
  const name = sha256(stream).slice(0, 16)
  gateway.simulator.sim.canned.set(name, stream)
  const answer = await send(
    gateway.url,
    claudeCall({
      key: gateway.keys.enterprise,
      fields: { stream: true },
      fault: `canned=${name}${split === null ? '' : `,split=${split}`}`,
    }),
  )
  expect(answer.status).toBe(200)
  expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8')
  return answer.body
}

describe.each(SPLITS)('split at %s bytes', (split) => {
  it.skipIf(!hasRecordings)(
    'every recorded stream of Claude arrives with the same SHA-256 (skipped without the shared data)',
    async () => {
      const streams = recorded.map((name) => readFileSync(join(recordings, name)))
      expect(streams.length).toBeGreaterThanOrEqual(19)
      const arrived = await Promise.all(streams.map((stream) => relayed(stream, split)))
      expect(arrived.map(sha256)).toEqual(streams.map(sha256))
    },
  )

  it.each(Object.entries(OWN_STREAMS))('%s arrive as they were sent', async (_, stream) => {
    const arrived = await relayed(stream, split)
    expect(sha256(arrived), arrived.toString()).toBe(sha256(stream))
  })
})

it('a stream of chat completions arrives as it was sent', async () => {
  const stream = Buffer.from(
    'data: {"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hé"}}]}\n\n' +
      'data: {"id":"c1","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n' +
      'data: [DONE]\n\n',
  )
  gateway.simulator.sim.canned.set('chat', stream)
  for (const split of SPLITS) {
    const answer = await send(
      gateway.url,
      claudeCall({
        key: gateway.keys.enterprise,
        path: '/v1/chat/completions',
        fields: { stream: true },
        fault: `canned=chat${split === null ? '' : `,split=${split}`}`,
      }),
    )
    expect(answer.body.toString()).toBe(stream.toString())
  }
})
