// Claude's stream reaches the caller byte for byte, however it was cut on the way.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claudeCall } from '../../support/claude-call.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { OWN_STREAMS } from '../../support/own-streams.ts'
import { send } from '../../support/raw-http.ts'
import {
  piecesOf,
  SPLIT_HEADER,
  type SplitUpstream,
  startSplitUpstream,
} from '../../support/split-upstream.ts'

const recordings = join(import.meta.dirname, '../../../../shared/data/claude-api-captures/sse')
const hasRecordings = existsSync(recordings)
const recorded = hasRecordings
  ? readdirSync(recordings).filter((name) => name.endsWith('.sse'))
  : []

const WHOLE = 1_000_000
const SPLITS = [WHOLE, 300, 3, 1] as const
/** A byte costs the gateway a wake, so the middle of a long stream goes in larger pieces unless all is asked for. */
const FINE_HEAD_BYTES = 3_000
const FINE_TAIL_BYTES = 600
const isWhole = process.env['SLUICE_TEST_EVERY_BYTE'] === '1'
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

let upstream: SplitUpstream
let gateway: TestGateway

beforeAll(async () => {
  upstream = await startSplitUpstream()
  gateway = await startTestGateway({ settings: { ANTHROPIC_BASE_URL: upstream.url } })
})

afterAll(async () => {
  await gateway.stop()
  await upstream.close()
})

function cut(stream: Buffer, pieceBytes: number): Buffer[] {
  const middleEnd = stream.length - FINE_TAIL_BYTES
  if (isWhole || pieceBytes >= 300 || middleEnd <= FINE_HEAD_BYTES) {
    return piecesOf(stream, pieceBytes)
  }
  return [
    ...piecesOf(stream.subarray(0, FINE_HEAD_BYTES), pieceBytes),
    ...piecesOf(stream.subarray(FINE_HEAD_BYTES, middleEnd), 300),
    ...piecesOf(stream.subarray(middleEnd), pieceBytes),
  ]
}

async function relayed(stream: Buffer, pieceBytes: number, path = '/v1/messages'): Promise<Buffer> {
  const answer = await send(
    gateway.url,
    claudeCall({
      key: gateway.keys.enterprise,
      path,
      fields: { stream: true },
      headers: [[SPLIT_HEADER, upstream.ask(cut(stream, pieceBytes))]],
    }),
  )
  expect(answer.status).toBe(200)
  expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8')
  return answer.body
}

describe.each(SPLITS)('in pieces of %i bytes', (pieceBytes) => {
  it.skipIf(!hasRecordings)(
    'every recorded stream of Claude arrives with the same SHA-256 (skipped without the shared data)',
    async () => {
      const streams = recorded.map((name) => readFileSync(join(recordings, name)))
      expect(streams.length).toBeGreaterThanOrEqual(19)
      const arrived = await Promise.all(streams.map((stream) => relayed(stream, pieceBytes)))
      expect(arrived.map(sha256)).toEqual(streams.map(sha256))
    },
  )

  it.each(Object.entries(OWN_STREAMS))('%s arrive as they were sent', async (_, stream) => {
    const arrived = await relayed(stream, pieceBytes)
    expect(sha256(arrived), arrived.toString()).toBe(sha256(stream))
  })

  it('a stream of chat completions arrives as it was sent', async () => {
    const stream = Buffer.from(
      'data: {"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hé"}}]}\n\n' +
        'data: {"id":"c1","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n' +
        'data: [DONE]\n\n',
    )
    const arrived = await relayed(stream, pieceBytes, '/v1/chat/completions')
    expect(arrived.toString()).toBe(stream.toString())
  })
})
