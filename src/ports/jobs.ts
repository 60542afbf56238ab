// Where jobs are kept, a tenant's in one place, and how the news that one is due comes to who runs it. Every method
// throws GatewayError `store_unavailable` where the place cannot be reached.
import type { Lane } from '../core/admission/admission.ts'
import type { Batch } from '../core/jobs/batch.ts'
import type { Job, JobMode, JobStatus, RunEnd } from '../core/jobs/job.ts'
import type { NewJob } from '../core/jobs/machine.ts'
import type { TokenGrant } from '../core/keys/browser-token.ts'
import type { Listed, Page } from './admin.ts'

/** A job's message: a hint that something is to be done for it. It may come twice, late or never. */
export interface JobMessage {
  readonly tenant: string
  readonly job: string
}

/** One queue a lane. */
export interface JobQueues {
  send(lane: Lane, messages: readonly JobMessage[]): Promise<void>
}

/** What is kept of a job beside its state. */
export interface JobFacts {
  readonly tenant: string
  readonly key: string
  /** What its browser token lent, where it came with one. */
  readonly token: TokenGrant | null
  /** The end user, for usage. */
  readonly user: string
  /** Who may see it beside the tenant's keys; empty: nobody. */
  readonly owner: string
  readonly model: string
  /** Our guess of its input. */
  readonly inputTokens: number
  /** What it may produce at most. */
  readonly maxOutputTokens: number
  /** Path and query upstream. */
  readonly target: string
  /** The caller's headers that go upstream. */
  readonly headers: Readonly<Record<string, string>>
  /** JSON text; null: none was given. */
  readonly metadata: string | null
  readonly webhookUrl: string | null
}

export interface StoredJob {
  readonly job: Job
  readonly facts: JobFacts
  /** Pieces of its request and its result that are kept. */
  readonly requestPieces: number
  readonly resultPieces: number
}

export interface JobSubmission {
  readonly job: NewJob
  readonly facts: JobFacts
  readonly request: Uint8Array
  readonly idempotency: { readonly key: string; readonly bodyHash: string } | null
}

/** What the first answer said. */
export interface TakenJob {
  readonly id: string
  readonly lane: Lane
  readonly mode: JobMode
  readonly createdAt: number
  /** How many of the tenant's jobs stood before it in its lane, itself included; null: too many to count. */
  readonly place: number | null
}

export type Submitted =
  | { readonly kind: 'taken'; readonly taken: TakenJob }
  /** The same key and body came before. */
  | { readonly kind: 'replay'; readonly taken: TakenJob }
  | { readonly kind: 'mismatch' }
  | { readonly kind: 'in_flight' }

export interface JobFilter {
  readonly status: JobStatus | null
  readonly lane: Lane | null
  /** Only what this owner may see; null: all of the tenant's. */
  readonly owner: string | null
}

/** As those see them who sent them. */
export interface Jobs {
  submit(submission: JobSubmission): Promise<Submitted>
  find(tenant: string, id: string): Promise<StoredJob | null>
  /** The latest first. */
  list(tenant: string, filter: JobFilter, page: Page): Promise<Listed<StoredJob>>
  readResult(stored: StoredJob): Promise<Uint8Array>
  /** As it is then; null: there is none. Its runner learns of it at once. */
  cancel(tenant: string, id: string): Promise<StoredJob | null>
}

export interface RunClaim {
  /** The runner's own. */
  readonly token: string
  /** Not renewed for so long, it is taken for dead. */
  readonly leaseMs: number
}

export type ClaimedRun =
  | {
      readonly kind: 'run'
      readonly stored: StoredJob
      readonly attempt: number
      readonly request: Uint8Array
    }
  | { readonly kind: 'tell'; readonly stored: StoredJob }
  | { readonly kind: 'nothing' }

/** As those see them who run them. */
export interface JobRuns {
  claim(message: JobMessage, claim: RunClaim): Promise<ClaimedRun>
  /**
   * Keeps the run and says after a while, at most a third of the lease, whether it may go on; at once where it was
   * canceled, or its time is over.
   */
  hold(message: JobMessage, claim: RunClaim): Promise<boolean>
  /** The job as it is then; `result` goes with a success. */
  finish(message: JobMessage, end: FinishedRun): Promise<StoredJob | null>
  /** The end of this round was told to whom it may concern. */
  told(message: JobMessage, round: number): Promise<void>
}

export interface SentBatch {
  readonly account: string
  readonly upstreamId: string
}

export interface ClaimedBatch {
  readonly batch: Batch
  /** Those that still wait for it. */
  readonly jobs: readonly StoredJob[]
}

/** Jobs that go through Claude's batches, as those see them who send these. A job's message may be a batch's. */
export interface JobBatchRuns {
  /** null: nothing is to be done for it. */
  claimBatch(message: JobMessage, claim: RunClaim): Promise<ClaimedBatch | null>
  readRequest(stored: StoredJob): Promise<Uint8Array>
  sentBatch(message: JobMessage, token: string, sent: SentBatch): Promise<void>
  /** It is looked at again later. */
  waitForBatch(message: JobMessage, token: string): Promise<void>
  /** What has not ended is called by itself. */
  endBatch(message: JobMessage, token: string): Promise<void>
}

export interface FinishedRun {
  readonly token: string
  readonly end: RunEnd
  readonly result: Uint8Array | null
}

export interface LaneCounts {
  readonly lane: Lane
  readonly queued: number
  readonly running: number
  readonly dead: number
  /** Epoch ms of the oldest that is queued; null: none is. */
  readonly oldestAt: number | null
  /** Over the last five minutes. */
  readonly cameIn: number
  readonly wentOut: number
}

export interface DeadFilter {
  readonly tenant: string | null
  readonly lane: Lane | null
}

/** As an operator sees them. */
export interface JobDesk {
  /** Of each lane, over all tenants. */
  counts(): Promise<readonly LaneCounts[]>
  /** The latest first. */
  listDead(filter: DeadFilter, page: Page): Promise<Listed<StoredJob>>
  /** Those that were dead letters until now: asked again, none. */
  redrive(tenant: string, ids: readonly string[]): Promise<readonly string[]>
  /** Those that were dead letters and are forgotten now. */
  purge(tenant: string, ids: readonly string[]): Promise<readonly string[]>
}
