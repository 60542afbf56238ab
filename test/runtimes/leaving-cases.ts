import { describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { newTag } from '../support/gateway-simulator.ts'
import { leave, type Leaving, open, readUntil, send, start } from '../support/raw-http.ts'
import type { Running } from './running.ts'

const ABORT_WITHIN_MS = 1_000
const WAYS: readonly Leaving[] = ['fin', 'rst']
/** What an account has unless it says otherwise. */
const SLOTS = 50

const each = <T>(make: (index: number) => T): T[] =>
  Array.from({ length: SLOTS }, (_, index) => make(index))

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
      const usage = async () => {
        const answer = await send(running.gateway.url, {
          path: '/v1/usage',
          headers: [['x-api-key', key]],
        })
        return JSON.parse(answer.body.toString()) as { data: unknown[] }
      }
      // A call that was cut is settled when Claude can have noticed.
      const told = await eventually(usage, ({ data }) => data.length > 0, {
        withinMs: ABORT_WITHIN_MS,
      })
      expect(told).toMatchObject({
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

    test('at any moment leaves no lease behind', async () => {
      const { world, gateway } = running
      await Promise.all(
        each(async (index) => {
          const prompt = '[sim:tokens=60][sim:deltas=15][sim:gap=2]'
          const request = start(gateway.url, {
            ...running.call({ prompt, fields: { stream: true }, fault: 'slow=10' }),
            ownConnection: true,
          })
          // A millisecond apart: across authentication, admission, the upstream call and the stream.
          await new Promise((resolve) => setTimeout(resolve, index))
          if (request.socket === null) request.destroy()
          else leave(request.socket, way)
        }),
      )
      const admitted = await eventually(countAdmitted, (count) => count === SLOTS, {
        withinMs: 2_000,
      })
      expect(admitted).toBe(SLOTS)
      expect(world.simulator.sim.gauge.inFlight('runtimes')).toBe(0)
    })
  })

  /** As many as there are slots, all at once, none willing to wait. */
  async function countAdmitted(): Promise<number> {
    const call = { fault: 'slow=150', headers: [['sluice-max-wait-ms', '0']] as const }
    const answers = await Promise.all(each(() => running.ask(call)))
    return answers.filter(({ status }) => status === 200).length
  }
}
