// Jobs as the tests of their keeping need them.
import type { RunEnd } from '../../src/core/jobs/job.ts'
import type { FinishedRun, JobSubmission } from '../../src/ports/jobs.ts'

export interface SubmissionChange {
  readonly tenant?: string
  readonly lane?: 'high' | 'normal' | 'low'
  readonly request?: Uint8Array
  readonly key?: string
  readonly bodyHash?: string
  readonly owner?: string
  readonly attempts?: number
  readonly lifeMs?: number
  readonly group?: string
  readonly noticeMs?: number
}

let made = 0

export function submission(change: SubmissionChange = {}): JobSubmission {
  const { tenant = 'acme', lane = 'normal', request = new Uint8Array([123, 125]) } = change
  made += 1
  return {
    job: {
      id: `job_${String(made).padStart(24, '0')}`,
      lane,
      mode: change.group === undefined ? 'realtime' : 'batch',
      group: change.group ?? null,
      rules: {
        attempts: change.attempts ?? 3,
        backoffMs: [0],
        resultTtlMs: 3_600_000,
        lifeMs: change.lifeMs ?? 86_400_000,
        noticeMs: change.noticeMs ?? 15_000,
        marginMs: 300_000,
      },
    },
    facts: {
      tenant,
      key: 'acmeacmeac',
      token: null,
      user: '',
      owner: change.owner ?? '',
      model: 'claude-sonnet-5-5',
      inputTokens: 10,
      maxOutputTokens: 100,
      target: '/v1/messages',
      headers: {},
      metadata: null,
      webhookUrl: null,
    },
    request,
    idempotency:
      change.key === undefined ? null : { key: change.key, bodyHash: change.bodyHash ?? 'hash' },
  }
}

export const error = { type: 'api_error', message: 'no' }
export const broke: RunEnd = { kind: 'failed', error, next: 'retry', retryAfterMs: null }

export const succeeded = (token: string, result: Uint8Array): FinishedRun => ({
  token,
  end: { kind: 'succeeded', costNanoUsd: 7 },
  result,
})

export const bytes = (size: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, at) => (at * 31) % 251)
