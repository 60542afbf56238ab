import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { captures } from '../support/captures.ts'
import { eventsOf } from '../support/claude-call.ts'
import { newTag } from '../support/gateway-simulator.ts'
import { OWN_STREAMS } from '../support/own-streams.ts'
import { leave, open, readUntil } from '../support/raw-http.ts'
import type { Running } from './running.ts'

const COMMENT = ': waiting for Claude\n\n'
const OWN: readonly Uint8Array[] = Object.values(OWN_STREAMS)
/** With Claude's own, where the recordings are there. */
const ALL = [...OWN, ...captures.map(({ bytes }) => bytes)]
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export function describeStreams(running: Running): void {
  async function relayed(stream: Uint8Array, split: string): Promise<Buffer> {
    const name = sha256(stream).slice(0, 16)
    running.world.simulator.sim.canned.set(name, Buffer.from(stream))
    const answer = await running.ask({
      fields: { stream: true },
      fault: `canned=${name}${split}`,
      headers: [['accept-encoding', 'gzip, br']],
    })
    expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8')
    return answer.body
  }

  describe('a stream', () => {
    test.each([
      ['as it is', '', ALL],
      ['in pieces of 300 bytes', ',split=300', ALL],
      ['in pieces of 3 bytes', ',split=3', OWN],
    ])('arrives byte for byte when Claude sends it %s', async (_, split, streams) => {
      const arrived = await Promise.all(streams.map((stream) => relayed(stream, split)))
      expect(arrived.map(sha256)).toEqual(streams.map(sha256))
    })

    test('passes each event on at once, and fills a silence with comments', async () => {
      const { response, socket } = await open(running.gateway.url, {
        ...running.call({ fields: { stream: true }, fault: 'stall;after=4' }),
        ownConnection: true,
      })
      const read = await readUntil(response, COMMENT + COMMENT)
      leave(socket, 'fin')
      expect(eventsOf(read)).toHaveLength(4)
    })

    test('that is cut ends in an error event', async () => {
      const answer = await running.ask({ fields: { stream: true }, fault: 'reset;after=4' })
      const names = eventsOf(answer.body).map(({ event }) => event)
      expect(names).toHaveLength(5)
      expect(names.at(-1)).toBe('error')
    })

    test('that is complete settles once, as served, with the usage that Claude told', async () => {
      const tag = newTag()
      const answer = await running.ask({ fields: { stream: true }, tag })
      const told = eventsOf(answer.body).find(({ event }) => event === 'message_delta')
      const { usage } = JSON.parse(told?.data ?? '{}') as { usage: { output_tokens: number } }
      const line = await running.attemptOf(answer)
      expect(line).toMatchObject({ outcome: 'served', output_tokens: usage.output_tokens })
      // A whole further call later, whatever became of the first one's signal has been seen.
      await running.attemptOf(await running.ask())
      const id = answer.headers['request-id']
      expect(running.gateway.lines.filter((each) => each['request_id'] === id)).toEqual([line])
      expect(running.world.simulator.journal.list({ tag })).toMatchObject([
        { outcome: 'completed' },
      ])
    })
  })
}
