// One request to Claude's Message Batches, on behalf of a batch of jobs.
import type { Account } from '../../core/answering/account.ts'
import type { Batch } from '../../core/jobs/batch.ts'
import type { Services } from '../../ports.ts'
import { readGroup } from './batch-group.ts'

export interface BatchQuestion {
  readonly method: 'GET' | 'POST'
  /** After `/v1/messages/batches`. */
  readonly path: string
  readonly body: Uint8Array | null
}

export const askBatches = (
  { upstream, config }: Services,
  account: Account,
  { group }: Batch,
  { method, path, body }: BatchQuestion,
): Promise<Response> =>
  upstream.send(account, {
    method,
    target: `/v1/messages/batches${path}`,
    headers: { ...readGroup(group).headers, 'content-type': 'application/json' },
    body,
    signal: AbortSignal.timeout(
      Math.min(config.upstream.firstByteTimeoutMs, config.gate.leaseTtlMs),
    ),
  })
