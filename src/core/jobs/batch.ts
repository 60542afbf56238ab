// Some jobs of one tenant and one group on their way through Claude's Message Batches, at half price. Sent once, asked
// after at longer and longer intervals; what does not come back that way is called like any other job.
import type { Notice } from './job.ts'

export interface Batch {
  readonly id: string
  readonly tenant: string
  /** As its jobs have it. */
  readonly group: string
  readonly createdAt: number
  readonly jobs: readonly string[]
  /** Where Claude has it; null: not sent yet. */
  readonly sent: { readonly account: string; readonly upstreamId: string } | null
  /** How often its sending was begun. */
  readonly sendings: number
  readonly polls: number
  readonly dueAt: number
  readonly run: { readonly token: string; readonly until: number } | null
  readonly notice: Notice
  readonly rules: BatchRules
}

export interface BatchRules {
  readonly pollMs: number
  readonly noticeMs: number
}

/** A sending that ends without a word may have arrived: it is not repeated for ever. */
export const MOST_SENDINGS = 3
const LONGEST_POLL_MS = 60_000
const POLL_GROWTH = 1.5
const NO_NOTICE = { count: 0, until: 0 }

export type NewBatch = Pick<Batch, 'id' | 'tenant' | 'group' | 'jobs' | 'rules'>

export const newBatch = (made: NewBatch, now: number): Batch => ({
  ...made,
  createdAt: now,
  sent: null,
  sendings: 0,
  polls: 0,
  dueAt: now,
  run: null,
  notice: NO_NOTICE,
})

export interface BatchClaim {
  readonly token: string
  readonly leaseMs: number
}

/** Null: it is not due, or someone is at it. */
export function claimBatch(
  batch: Batch,
  { token, leaseMs }: BatchClaim,
  now: number,
): Batch | null {
  if (batch.dueAt > now || (batch.run !== null && batch.run.until > now)) return null
  return {
    ...batch,
    run: { token, until: now + leaseMs },
    sendings: batch.sendings + (batch.sent === null ? 1 : 0),
    notice: NO_NOTICE,
  }
}

export const sentBatch = (batch: Batch, sent: NonNullable<Batch['sent']>, now: number): Batch => ({
  ...batch,
  sent,
  run: null,
  dueAt: now + batch.rules.pollMs,
})

/** Nothing new of it: it is looked at again. */
export function waitForBatch(batch: Batch, now: number): Batch {
  const waitMs = Math.min(batch.rules.pollMs * POLL_GROWTH ** batch.polls, LONGEST_POLL_MS)
  return { ...batch, run: null, polls: batch.polls + 1, dueAt: now + Math.ceil(waitMs) }
}

export function noticedBatch(batch: Batch, now: number): Batch {
  const { count } = batch.notice
  const waitMs = batch.rules.noticeMs * 2 ** Math.min(count, 4)
  return { ...batch, notice: { count: count + 1, until: now + waitMs } }
}

export const batchWakeAt = ({ run, dueAt, notice }: Batch): number =>
  run === null ? Math.max(dueAt, notice.until) : run.until
