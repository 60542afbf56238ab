// What happens to a job, one function an event: `(job, event, now)` gives the job as it is then. A message may come
// twice, late or never, and a runner may die at any line: each ends in one terminal state, and nothing leaves one but a
// dead letter that is redriven.
import type { Claimed, Job, JobError, JobMode, JobRules, RunEnd } from './job.ts'
import { isOpen } from './job.ts'
import type { Lane } from '../admission/admission.ts'

export interface NewJob {
  readonly id: string
  readonly lane: Lane
  readonly mode: JobMode
  readonly rules: JobRules
  /** null: it goes into no batch. */
  readonly group: string | null
}

/** Each notice that nobody answers is waited for longer, so that a long queue is not made longer by its own copies. */
const NOTICE_FACTORS = [1, 2, 4, 8, 20]
/** What was refused without a time to come again. */
const REFUSED_MS = 1_000
const LONGEST_REFUSAL_MS = 300_000
/** A dead letter that nobody looks at. */
export const DEAD_LETTER_LIFE_MS = 14 * 86_400_000

const NO_NOTICE = { count: 0, until: 0 }

export function newJob({ id, lane, mode, rules, group }: NewJob, now: number): Job {
  const { lifeMs, marginMs } = rules
  return {
    id,
    lane,
    mode,
    rules,
    status: 'queued',
    createdAt: now,
    dueAt: group === null ? now : now + lifeMs - marginMs,
    deadlineAt: now + lifeMs,
    attempts: 0,
    refusals: 0,
    waitingSince: now,
    run: null,
    lastToken: null,
    notice: NO_NOTICE,
    batch: group === null ? null : { group, id: null },
    error: null,
    costNanoUsd: 0,
    endedAt: null,
    isDead: false,
    round: 0,
    isTold: false,
    removeAt: null,
  }
}

export interface Claim {
  /** The runner's own. */
  readonly token: string
  readonly leaseMs: number
}

export function claim(before: Job, asked: Claim, now: number): readonly [Job, Claimed] {
  const job = advance(before, now)
  if (!isOpen(job)) return [job, { kind: job.isTold ? 'nothing' : 'tell' }]
  if (job.status === 'running' || job.dueAt > now) return [job, { kind: 'nothing' }]
  const attempts = job.attempts + 1
  const run = { token: asked.token, until: now + asked.leaseMs, startedAt: now }
  const running: Job = {
    ...job,
    status: 'running',
    attempts,
    run,
    lastToken: asked.token,
    notice: NO_NOTICE,
    batch: null,
  }
  return [running, { kind: 'run', attempt: attempts }]
}

/** False: whoever asks must not go on. */
export function renew(before: Job, asked: Claim, now: number): readonly [Job, boolean] {
  const job = advance(before, now)
  if (job.run?.token !== asked.token) return [job, false]
  return [{ ...job, run: { ...job.run, until: now + asked.leaseMs } }, true]
}

/** Of a runner that is not the job's any more nothing counts, but a success of the last one before another begins. */
export function finish(before: Job, token: string, end: RunEnd, now: number): Job {
  const isRunner = before.run?.token === token
  const isLate = before.status === 'queued' && before.lastToken === token
  if (!isRunner && !(isLate && end.kind === 'succeeded')) return advance(before, now)
  switch (end.kind) {
    case 'succeeded': {
      const costNanoUsd = before.costNanoUsd + end.costNanoUsd
      return ended({ ...before, costNanoUsd, error: null }, 'succeeded', now)
    }
    case 'refused':
      return advance(refused(before, end, now), now)
    case 'failed':
      return advance(failed(before, end, now), now)
  }
}

function refused(job: Job, end: Extract<RunEnd, { kind: 'refused' }>, now: number): Job {
  const delayMs = Math.min(end.retryAfterMs ?? REFUSED_MS, LONGEST_REFUSAL_MS)
  return {
    ...waiting(job, now + delayMs),
    attempts: Math.max(0, job.attempts - 1),
    refusals: job.refusals + 1,
    error: end.error,
  }
}

function failed(job: Job, end: Extract<RunEnd, { kind: 'failed' }>, now: number): Job {
  const known: Job = { ...job, error: end.error, refusals: 0, waitingSince: now }
  if (end.next === 'final') return ended(known, 'failed', now)
  if (end.next === 'dead' || job.attempts >= job.rules.attempts) return dead(known, now)
  const delayMs = Math.max(pick(job.rules.backoffMs, job.attempts - 1), end.retryAfterMs ?? 0)
  return waiting(known, now + delayMs)
}

/** Nothing changes where it has ended. */
export function cancel(before: Job, now: number): Job {
  const job = advance(before, now)
  return isOpen(job) ? ended({ ...job, error: null }, 'canceled', now) : job
}

const LOST: JobError = {
  type: 'api_error',
  message: 'The gateway that ran this job stopped before its end',
}
const TOO_LATE: JobError = {
  type: 'timeout_error',
  message: 'The job did not end before its deadline',
}

/** What time alone does. */
export function advance(job: Job, now: number): Job {
  if (!isOpen(job)) return job
  if (job.deadlineAt <= now) return ended({ ...job, error: TOO_LATE }, 'expired', now)
  if (job.run === null || job.run.until > now) return job
  if (job.batch !== null) return leaveBatch(job, now)
  const known: Job = { ...job, error: LOST }
  return job.attempts >= job.rules.attempts ? dead(known, now) : waiting(known, now)
}

export const isGathering = ({ status, batch }: Job): boolean =>
  status === 'queued' && batch !== null && batch.id === null

/** It goes with the others of a batch, until it would be too late for a call by itself. */
export function joinBatch(job: Job, id: string, now: number): Job {
  if (!isGathering(job) || job.batch === null || job.dueAt <= now) return job
  return {
    ...job,
    status: 'running',
    attempts: job.attempts + 1,
    run: { token: id, until: job.dueAt, startedAt: now },
    lastToken: id,
    batch: { group: job.batch.group, id },
  }
}

/** Called by itself from now on, as if it had been in no batch; where that answers first, its answer still counts. */
export function leaveBatch(job: Job, now: number): Job {
  if (job.batch === null || job.run === null) return job
  return { ...waiting(job, now), attempts: Math.max(0, job.attempts - 1), waitingSince: now }
}

/** Its end was told, to the last word; what was told of an earlier end says nothing of this one. */
export const told = (job: Job, round: number): Job =>
  isOpen(job) || job.round !== round ? job : { ...job, isTold: true, notice: NO_NOTICE }

/** A message was sent for it. */
export function noticed(job: Job, now: number): Job {
  const { count } = job.notice
  const waitMs = job.rules.noticeMs * pick(NOTICE_FACTORS, count)
  return { ...job, notice: { count: count + 1, until: now + waitMs } }
}

/** From the dead letters once more into the queue, as if it were new; anything else stays as it is. */
export function redrive(job: Job, now: number): Job {
  if (!job.isDead) return job
  return {
    ...waiting(job, now),
    deadlineAt: now + job.rules.lifeMs,
    attempts: 0,
    refusals: 0,
    waitingSince: now,
    lastToken: null,
    endedAt: null,
    isDead: false,
    round: job.round + 1,
    isTold: false,
    removeAt: null,
  }
}

/**
 * When something is to be done for it although nobody asks: a message sent, a dead runner noticed, an end told, the job
 * forgotten.
 */
export function wakeAt(job: Job): number {
  if (job.status === 'queued') return Math.max(job.dueAt, job.notice.until)
  if (job.run !== null) return job.run.until
  return job.isTold ? (job.removeAt ?? Infinity) : job.notice.until
}

const waiting = (job: Job, dueAt: number): Job => ({
  ...job,
  status: 'queued',
  run: null,
  dueAt,
  notice: NO_NOTICE,
  batch: null,
})

const ended = (
  job: Job,
  status: Exclude<Job['status'], 'queued' | 'running'>,
  now: number,
): Job => ({
  ...job,
  status,
  run: null,
  endedAt: now,
  isTold: false,
  notice: NO_NOTICE,
  removeAt: now + job.rules.resultTtlMs,
})

const dead = (job: Job, now: number): Job => ({
  ...ended(job, 'failed', now),
  isDead: true,
  removeAt: now + DEAD_LETTER_LIFE_MS,
})

const pick = (list: readonly number[], at: number): number =>
  list[Math.min(Math.max(0, at), list.length - 1)] ?? 0
