// A batch of messages from Cloudflare's queues: each is answered for itself.
import { expect, test } from 'vitest'
import { consumeJobs } from '../../../src/adapters/cloudflare/consume-jobs.ts'
import type { LogLine } from '../../../src/ports.ts'

interface Said {
  readonly acked: string[]
  readonly retried: [string, number][]
}

const messageOf = (said: Said, id: string, body: unknown, attempts = 1) =>
  ({
    id,
    body,
    attempts,
    timestamp: new Date(0),
    ack: () => void said.acked.push(id),
    retry: ({ delaySeconds = 0 } = {}) => void said.retried.push([id, delaySeconds]),
  }) as Message

const job = (name: string) => ({ tenant: 'acme', job: name })

test('what fails comes again later, what makes no sense does not, and neither touches the others', async () => {
  const said: Said = { acked: [], retried: [] }
  const logs: LogLine[] = []
  const ran: string[] = []
  await consumeJobs(
    {
      messages: [
        messageOf(said, 'm1', job('good')),
        messageOf(said, 'm2', job('bad')),
        messageOf(said, 'm3', 'what?'),
        messageOf(said, 'm4', job('bad'), 9),
        messageOf(said, 'm5', job('good too')),
      ],
    },
    {
      log: (line) => void logs.push(line),
      run: async (message) => {
        ran.push(message.job)
        if (message.job === 'bad') throw new Error('away')
      },
    },
  )
  expect(said.acked.toSorted()).toEqual(['m1', 'm3', 'm5'])
  expect(said.retried).toEqual([
    ['m2', 2],
    ['m4', 60],
  ])
  expect(ran).toEqual(['good', 'bad', 'bad', 'good too'])
  expect(logs.map(({ event }) => event)).toEqual([
    'job_message_unreadable',
    'job_message_failed',
    'job_message_failed',
  ])
})
