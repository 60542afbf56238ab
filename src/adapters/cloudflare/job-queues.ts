// The queues of jobs' messages, one a lane, as Cloudflare Queues.
import type { Lane } from '../../core/admission/admission.ts'
import type { JobMessage } from '../../ports/jobs.ts'

export interface JobQueueBindings {
  readonly JOBS_HIGH: Queue<JobMessage>
  readonly JOBS_NORMAL: Queue<JobMessage>
  readonly JOBS_LOW: Queue<JobMessage>
}

/** What one call may carry. */
const MOST_IN_BATCH = 100

export async function sendToQueues(
  bindings: JobQueueBindings,
  outbox: ReadonlyMap<Lane, readonly JobMessage[]>,
): Promise<void> {
  for (const [lane, messages] of outbox) {
    const queue = queueOf(bindings, lane)
    for (let start = 0; start < messages.length; start += MOST_IN_BATCH) {
      const part = messages.slice(start, start + MOST_IN_BATCH)
      await queue.sendBatch(part.map((body) => ({ body, contentType: 'json' })))
    }
  }
}

function queueOf(bindings: JobQueueBindings, lane: Lane): Queue<JobMessage> {
  switch (lane) {
    case 'high':
      return bindings.JOBS_HIGH
    case 'normal':
      return bindings.JOBS_NORMAL
    case 'low':
      return bindings.JOBS_LOW
  }
}

/** Ours come from nowhere else, but a queue keeps what another version wrote. */
export function readMessage(body: unknown): JobMessage | null {
  if (typeof body !== 'object' || body === null) return null
  const tenant: unknown = Reflect.get(body, 'tenant')
  const job: unknown = Reflect.get(body, 'job')
  return typeof tenant === 'string' && typeof job === 'string' ? { tenant, job } : null
}
