// Which jobs go through Claude's Message Batches, and which of them together.
import type { JobMode, JobRules } from '../../core/jobs/job.ts'
import type { Call } from '../call.ts'

/** Most batches are done within an hour. */
const TIME_TO_SPARE_MS = 3_600_000

export interface BatchTerms {
  readonly lane: string
  readonly mode: JobMode
}

/** `batch` wherever it can be; `auto` in the low lane where an hour is left. A stream cannot. */
export function goesInBatch(call: Call, { lane, mode }: BatchTerms, rules: JobRules): boolean {
  if (mode === 'realtime' || call.isStream) return false
  const leftMs = rules.lifeMs - rules.marginMs
  if (mode === 'batch') return leftMs > rules.marginMs
  return lane === 'low' && leftMs >= TIME_TO_SPARE_MS
}

export interface BatchGroup {
  readonly model: string
  /** What goes upstream with the batch. */
  readonly headers: Readonly<Record<string, string>>
}

const SHARED_HEADERS = ['anthropic-version', 'anthropic-beta']

export function groupOf({ model, headers }: Call): string {
  const shared = SHARED_HEADERS.flatMap((name) => {
    const value = headers[name]
    return value === undefined ? [] : [[name, value]]
  })
  return JSON.stringify([model, shared])
}

/** Our own writing. */
export function readGroup(text: string): BatchGroup {
  const [model, shared] = JSON.parse(text) as [string, [string, string][]]
  return { model, headers: Object.fromEntries(shared) }
}
