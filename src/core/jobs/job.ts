// The words of jobs: what one is, what happens to it, what it answers. Plain JSON, since all of it crosses the RPC
// boundary between versions and lies in a database.
import type { Lane } from '../admission/admission.ts'

export type JobStatus = 'queued' | 'running' | 'succeeded' | 'failed' | 'canceled' | 'expired'

export type JobMode = 'realtime' | 'batch' | 'auto'

export interface Job {
  readonly id: string
  readonly status: JobStatus
  readonly lane: Lane
  readonly mode: JobMode
  readonly rules: JobRules
  /** Epoch ms, like all moments here. */
  readonly createdAt: number
  /** While queued: not tried before. */
  readonly dueAt: number
  /** Where it has not ended by then, it expires. */
  readonly deadlineAt: number
  /** Begun and not given back: a refusal gives its attempt back, a crash does not. */
  readonly attempts: number
  /** Since it last ran: how often a gate or a limit said "later". */
  readonly refusals: number
  /** Since when it waits for its turn: it came, failed or was redriven. */
  readonly waitingSince: number
  /** Who runs it; null: nobody. */
  readonly run: JobRun | null
  /** Who ran it last, and may still say that it succeeded. */
  readonly lastToken: string | null
  readonly notice: Notice
  /** Its way through a batch; null: it is called by itself. */
  readonly batch: BatchPlace | null
  /** What the last attempt, or the job, ended with. */
  readonly error: JobError | null
  readonly costNanoUsd: number
  readonly endedAt: number | null
  /** In the dead letters: it may be redriven. */
  readonly isDead: boolean
  /** How often it was redriven. */
  readonly round: number
  /** Whether its end has been told to whom it may concern. */
  readonly isTold: boolean
  /** Ended: forgotten then. */
  readonly removeAt: number | null
}

/** Fixed when it was taken: a change of the settings does not change what its owner was promised. */
export interface JobRules {
  readonly attempts: number
  /** After the first failure, the second, …; the last holds for all that follow. */
  readonly backoffMs: readonly number[]
  readonly resultTtlMs: number
  readonly lifeMs: number
  /** A message that nobody answered for so long counts as lost. */
  readonly noticeMs: number
  /** So long before its deadline a job that waits for its batch is called by itself. */
  readonly marginMs: number
}

export interface BatchPlace {
  /** Jobs of one group may share a batch. */
  readonly group: string
  /** null: it waits for others of its group. */
  readonly id: string | null
}

export interface JobRun {
  readonly token: string
  /** Not renewed by then, its runner is taken for dead. */
  readonly until: number
  readonly startedAt: number
}

/** A queue's messages may be lost: one that nobody answered by `until` is sent again. */
export interface Notice {
  readonly count: number
  /** 0: none is on its way. */
  readonly until: number
}

export interface JobError {
  /** Claude's type of the error. */
  readonly type: string
  readonly message: string
}

export type Claimed =
  | { readonly kind: 'run'; readonly attempt: number }
  /** Too early, or it runs elsewhere: the message was an old one. */
  | { readonly kind: 'nothing' }
  /** It has ended, and its end is to be told. */
  | { readonly kind: 'tell' }

/** What became of one run. */
export type RunEnd =
  | { readonly kind: 'succeeded'; readonly costNanoUsd: number }
  /** Nothing was asked of Claude, or Claude said "later": no attempt is used up. */
  | { readonly kind: 'refused'; readonly error: JobError; readonly retryAfterMs: number | null }
  | {
      readonly kind: 'failed'
      readonly error: JobError
      /** `retry`: another attempt, as far as there are any; `final`: its own fault; `dead`: for the dead letters. */
      readonly next: 'retry' | 'final' | 'dead'
      readonly retryAfterMs: number | null
    }

export const isOpen = ({ status }: Job): boolean => status === 'queued' || status === 'running'
