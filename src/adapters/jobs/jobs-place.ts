// What a tenant's jobs can be asked, wherever they are: in an object over RPC, or in this process. Bodies come and go in
// pieces, since a message of either kind has its bound.
import type { NewJob } from '../../core/jobs/machine.ts'
import type { RunEnd } from '../../core/jobs/job.ts'
import type { Listed, Page } from '../../ports/admin.ts'
import type {
  ClaimedBatch,
  DeadFilter,
  JobFacts,
  JobFilter,
  LaneCounts,
  RunClaim,
  SentBatch,
  StoredJob,
  Submitted,
} from '../../ports/jobs.ts'
import type { Part } from './job-pieces.ts'

/** Half of what a row may hold, and far below what a call may carry. */
export const PIECE_BYTES = 1_000_000

export interface UsedIdempotency {
  readonly key: string
  readonly bodyHash: string
}

export interface PlacedSubmission {
  readonly job: NewJob
  readonly facts: JobFacts
  /** All of them; the first comes with this, the others came before. */
  readonly pieces: number
  readonly first: Uint8Array
  readonly idempotency: UsedIdempotency | null
}

export interface PlacedPiece {
  readonly id: string
  readonly part: Part
  readonly number: number
  readonly bytes: Uint8Array
}

export type PlacedClaim =
  | {
      readonly kind: 'run'
      readonly stored: StoredJob
      readonly attempt: number
      readonly first: Uint8Array
    }
  | { readonly kind: 'tell'; readonly stored: StoredJob }
  | { readonly kind: 'nothing' }

export interface PlacedFinish {
  readonly token: string
  readonly end: RunEnd
  readonly pieces: number
  readonly first: Uint8Array | null
}

type Later<T> = T | Promise<T>

export interface JobsPlace {
  /** Before the first piece of a large request: null where it may come. */
  begin(id: string, idempotency: UsedIdempotency | null): Later<Submitted | null>
  putPiece(piece: PlacedPiece): Later<void>
  submit(submission: PlacedSubmission): Later<Submitted>
  look(id: string): Later<StoredJob | null>
  list(filter: JobFilter, page: Page): Later<Listed<StoredJob>>
  readPiece(id: string, part: Part, number: number): Later<Uint8Array | null>
  cancel(id: string): Later<StoredJob | null>
  claim(id: string, claim: RunClaim): Later<PlacedClaim>
  hold(id: string, claim: RunClaim): Later<boolean>
  finish(id: string, finish: PlacedFinish): Later<StoredJob | null>
  told(id: string, round: number): Later<void>
  claimBatch(id: string, claim: RunClaim): Later<ClaimedBatch | null>
  sentBatch(id: string, token: string, sent: SentBatch): Later<void>
  waitForBatch(id: string, token: string): Later<void>
  endBatch(id: string, token: string): Later<void>
  counts(): Later<readonly LaneCounts[]>
  listDead(filter: DeadFilter, page: Page): Later<Listed<StoredJob>>
  redrive(ids: readonly string[]): Later<readonly string[]>
  purge(ids: readonly string[]): Later<readonly string[]>
}
