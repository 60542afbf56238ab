// A job as the API shows it.
import { showTime, showTimeOrNull } from '../../core/admin/times.ts'
import type { Delivery } from '../../core/webhooks/delivery.ts'
import type { StoredJob } from '../../ports/jobs.ts'

/** Without its result. */
export function showJob({ job, facts }: StoredJob): Readonly<Record<string, unknown>> {
  const hasFailed = job.status === 'failed' || job.status === 'expired'
  const isOpen = job.endedAt === null
  return {
    id: job.id,
    status: job.status,
    lane: job.lane,
    mode: job.mode,
    model: facts.model,
    created_at: showTime(job.createdAt),
    started_at: showTimeOrNull(job.run?.startedAt ?? null),
    next_attempt_at: job.status === 'queued' ? showTime(job.dueAt) : null,
    ended_at: showTimeOrNull(job.endedAt),
    deadline_at: showTime(job.deadlineAt),
    expires_at: showTimeOrNull(job.removeAt),
    attempts: job.attempts,
    ...(hasFailed && job.error !== null ? { error: job.error } : {}),
    // Why it is not done yet.
    ...(isOpen && job.error !== null ? { last_error: job.error } : {}),
    cost_usd: job.costNanoUsd / 1e9,
    metadata: facts.metadata === null ? null : (JSON.parse(facts.metadata) as unknown),
    webhook: facts.webhookUrl === null ? null : { url: facts.webhookUrl },
  }
}

/** How far the news of its end is; nothing is said where nobody is told. */
export const showDeliveryOf = ({ facts }: StoredJob, delivery: Delivery | null) =>
  delivery === null
    ? {}
    : {
        webhook: {
          url: facts.webhookUrl,
          id: delivery.id,
          state: delivery.state,
          attempts: delivery.attemptCount,
          last_status: delivery.attempts.at(-1)?.status ?? null,
          next_attempt_at: showTimeOrNull(delivery.dueAt),
        },
      }
