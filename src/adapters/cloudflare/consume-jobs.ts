// A batch of jobs' messages: each is run and answered for itself, so that what becomes of one touches no other.
import type { JobMessage } from '../../ports/jobs.ts'
import type { LogLine } from '../../ports.ts'
import { readMessage } from './job-queues.ts'

export interface ConsumerOptions {
  readonly run: (message: JobMessage) => Promise<void>
  readonly log: (line: LogLine) => void
}

const LONGEST_DELAY_SECONDS = 60

export async function consumeJobs(
  batch: Pick<MessageBatch, 'messages'>,
  { run, log }: ConsumerOptions,
): Promise<void> {
  const consume = async (message: Message): Promise<void> => {
    const read = readMessage(message.body)
    if (read === null) {
      log({ event: 'job_message_unreadable', id: message.id })
      return message.ack()
    }
    try {
      await run(read)
      message.ack()
    } catch (error) {
      log({ event: 'job_message_failed', job: read.job, error: String(error) })
      const delaySeconds = Math.min(LONGEST_DELAY_SECONDS, 2 ** message.attempts)
      message.retry({ delaySeconds })
    }
  }
  await Promise.all(batch.messages.map(consume))
}
