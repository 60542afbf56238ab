import { describe, expect, test } from 'vitest'
import { newTag } from '../support/gateway-simulator.ts'
import { leave, type Leaving, open, readUntil, send, start } from '../support/raw-http.ts'
import type { Running } from './running.ts'

const ABORT_WITHIN_MS = 1_000
const WAYS: readonly Leaving[] = ['fin', 'rst']

export function describeLeaving(running: Running): void {
  /** The one call with this tag was aborted, and soon. */
  async function expectAbort(tag: string, leftAt: number): Promise<void> {
    const { journal } = running.world.simulator
    const [entry] = await journal.wait({ tag }, { timeoutMs: ABORT_WITHIN_MS * 2 })
    expect(entry?.outcome).toBe('aborted')
    expect((entry?.aborted_at ?? Infinity) - leftAt).toBeLessThan(ABORT_WITHIN_MS)
  }

  describe.each(WAYS)('a caller that leaves by %s', (way) => {
    test('mid-stream aborts the call to Claude and pays for what was produced', async () => {
      const tag = newTag()
      const key = await running.world.newKey(`leaver-${way}`)
      const { response, socket, headers } = await open(running.gateway.url, {
        ...running.call({ key, tag, fields: { stream: true }, fault: 'stall;after=6' }),
        ownConnection: true,
      })
      await readUntil(response, 'content_block_delta')
      response.on('error', () => {})
      const leftAt = Date.now()
      leave(socket, way)
      await expectAbort(tag, leftAt)
      const line = await running.attemptOf({ headers })
      expect(line['outcome']).toBe('served')
      expect(line['output_tokens']).toBeGreaterThan(0)
      const usage = await send(running.gateway.url, {
        path: '/v1/usage',
        headers: [['x-api-key', key]],
      })
      expect(JSON.parse(usage.body.toString())).toMatchObject({
        data: [{ requests: 1, output_tokens: line['output_tokens'] }],
      })
    })

    test('before the first byte aborts the call to Claude and pays nothing', async () => {
      const { world } = running
      const tag = newTag()
      const key = await world.newKey(`early-leaver-${way}`)
      const request = start(running.gateway.url, {
        ...running.call({ key, tag, fault: 'hang' }),
        ownConnection: true,
      })
      await world.simulator.journal.wait({ tag, state: 'arrived' })
      const leftAt = Date.now()
      if (request.socket !== null) leave(request.socket, way)
      await expectAbort(tag, leftAt)
      const line = await running.gateway.awaitLine(
        (each) => each['event'] === 'attempt' && each['tenant'] === `early-leaver-${way}`,
      )
      expect(line).toMatchObject({ outcome: 'ignored', output_tokens: null })
    })
  })
}
