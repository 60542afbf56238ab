// The results of a batch, line by line as they come: each ends its job, and is billed at half price.
import { fieldsOf, readUsage, type Usage } from '../../core/answering/usage.ts'
import { readBatchResult, type BatchResult } from '../../core/jobs/batch-results.ts'
import { isOpen } from '../../core/jobs/job.ts'
import { costOf } from '../../core/money/cost.ts'
import type { UsageRecord } from '../../core/money/usage-record.ts'
import type { Services } from '../../ports.ts'
import type { ClaimedBatch, FinishedRun, StoredJob } from '../../ports/jobs.ts'
import { tellEnd } from './tell-end.ts'

/** Jobs that end at a time. */
const AT_ONCE = 10

export async function readBatchResults(
  services: Services,
  { batch, jobs }: ClaimedBatch,
  body: ReadableStream<Uint8Array>,
): Promise<void> {
  const waiting = new Map(jobs.map((stored) => [stored.job.id, stored]))
  const ending = new Set<Promise<void>>()
  for await (const line of linesOf(body)) {
    const read = readBatchResult(line)
    const stored = read === null ? undefined : waiting.get(read.job)
    if (read === null || stored === undefined) continue
    const work = endJob(services, stored, { token: batch.id, result: read.result })
    const tracked = work.finally(() => ending.delete(tracked))
    ending.add(tracked)
    if (ending.size >= AT_ONCE) await Promise.race(ending)
  }
  await Promise.all(ending)
}

interface Result {
  readonly token: string
  readonly result: BatchResult['result']
}

async function endJob(
  services: Services,
  stored: StoredJob,
  { token, result }: Result,
): Promise<void> {
  const { job, facts } = stored
  const message = { tenant: facts.tenant, job: job.id }
  const run = runOf(services, stored, { token, result })
  if (run === null) return
  const { usage, finished } = run
  // The bill first: told again after a crash it is counted once.
  if (usage !== null) {
    const id = `${job.id}.${job.round}.batch`
    await services.ledgers.settle(facts.tenant, {
      id,
      usage: { ...usage, requestId: id },
      tookMs: services.now() - usage.at,
    })
  }
  const ended = await services.jobRuns.finish(message, finished)
  if (ended !== null && !isOpen(ended.job)) await tellEnd(services, ended)
}

interface Run {
  readonly usage: UsageRecord | null
  readonly finished: FinishedRun
}

/** null: it is called by itself when the batch is over. */
function runOf(services: Services, stored: StoredJob, { token, result }: Result): Run | null {
  if (result.kind === 'not_made') return null
  if (result.kind === 'errored') {
    const { error } = result
    // What is wrong with the request itself is wrong anywhere.
    if (error.type !== 'invalid_request_error') return null
    const end = { kind: 'failed', error, next: 'final', retryAfterMs: null } as const
    return { usage: null, finished: { token, end, result: null } }
  }
  const { usage: said, model } = fieldsOf(JSON.parse(result.message))
  const usage = said === undefined ? null : readUsage(said)
  const record =
    usage === null
      ? null
      : recordOf(services, stored, { usage, model: typeof model === 'string' ? model : null })
  return {
    usage: record,
    finished: {
      token,
      end: { kind: 'succeeded', costNanoUsd: record?.costNanoUsd ?? 0 },
      result: new TextEncoder().encode(result.message),
    },
  }
}

function recordOf(
  { now }: Services,
  { job, facts }: StoredJob,
  { usage, model }: { readonly usage: Usage; readonly model: string | null },
): UsageRecord {
  const cost = costOf(model ?? facts.model, usage, { batch: true })
  return {
    requestId: job.id,
    tenant: facts.tenant,
    key: facts.key,
    user: facts.user,
    model: facts.model,
    at: now(),
    inputTokens: usage.inputTokens,
    outputTokens: usage.outputTokens,
    cacheWriteTokens: usage.cacheWrite5mTokens + usage.cacheWrite1hTokens,
    cacheReadTokens: usage.cacheReadTokens,
    costNanoUsd: cost.costNanoUsd,
    savedNanoUsd: cost.savedNanoUsd,
    estimated: usage.estimated || cost.estimated,
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let left = ''
  for (;;) {
    const { value, done } = await reader.read()
    left += done ? decoder.decode() : decoder.decode(value, { stream: true })
    const lines = left.split('\n')
    left = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') yield line
    if (!done) continue
    if (left.trim() !== '') yield left
    return
  }
}
