// One message of a queue: the job that it names is claimed, made as a call like any other, and ended. What is not ours
// to run is left alone; what we cannot end is another's when our claim is over.
import { GatewayError } from '../../core/errors.ts'
import { isOpen, type Job } from '../../core/jobs/job.ts'
import type { Services } from '../../ports.ts'
import type { ClaimedRun, JobMessage, RunClaim, StoredJob } from '../../ports/jobs.ts'
import { answerSilently } from '../answer-call.ts'
import { letIn } from '../authenticate.ts'
import { type Call, newQueueState, newTiming, type RequestScope } from '../call.ts'
import { Deadlines } from '../deadlines.ts'
import { describeCall } from '../read-call.ts'
import { refusalOfKey } from '../refuse-key.ts'
import { broken, judgeAnswer, type JudgedRun, judgeRefusal, timedOut } from './judge-run.ts'
import { isBatchMessage, runBatch } from './run-batch.ts'
import { tellEnd } from './tell-end.ts'

/** Throws where the job's place cannot be reached: the message is to come again. */
export type JobRunner = (message: JobMessage) => Promise<void>

type Run = Extract<ClaimedRun, { kind: 'run' }>

/** An answer that was paid for is not thrown away because its place hiccups. */
const FINISH_DELAYS_MS = [100, 500, 2_000, 5_000, 10_000]
const HOLD_AGAIN_MS = 500
/** Five minutes of the usual SLUICE_QUEUE_WAIT_MS. */
const POLITE_WAITS = 30

export const createJobRunner =
  (services: Services): JobRunner =>
  async (message) => {
    if (isBatchMessage(message)) return runBatch(services, message)
    const claim: RunClaim = {
      token: crypto.randomUUID(),
      leaseMs: services.config.gate.leaseTtlMs,
    }
    const claimed = await services.jobRuns.claim(message, claim)
    if (claimed.kind === 'nothing') return
    if (claimed.kind === 'tell') return tellEnd(services, claimed.stored)
    const run = new RunningJob(services, message, claim)
    const judged = await run.make(claimed)
    if (judged !== null) {
      const stored = await finish(services, message, { ...judged, token: claim.token })
      if (stored !== null && !isOpen(stored.job)) await tellEnd(services, stored)
    }
    await run.settled()
  }

async function finish(
  services: Services,
  message: JobMessage,
  { end, result, token }: JudgedRun & { readonly token: string },
): Promise<StoredJob | null> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await services.jobRuns.finish(message, { token, end, result })
    } catch (error) {
      const delayMs = FINISH_DELAYS_MS[attempt]
      if (delayMs === undefined) throw error
      await sleep(delayMs)
    }
  }
}

class RunningJob {
  readonly #services: Services
  readonly #message: JobMessage
  readonly #claim: RunClaim
  readonly #stop = new AbortController()
  readonly #deferred: Promise<unknown>[] = []
  #why: 'timeout' | 'not_ours' | null = null
  #isOver = false

  constructor(services: Services, message: JobMessage, claim: RunClaim) {
    this.#services = services
    this.#message = message
    this.#claim = claim
  }

  /** null: it is not ours any more, canceled for one. */
  async make(run: Run): Promise<JudgedRun | null> {
    const { timeoutMs } = this.#services.config.jobs
    const late = setTimeout(() => this.#end('timeout'), timeoutMs)
    void this.#keepHold()
    try {
      const judged = await this.#call(run)
      if (this.#why === 'not_ours') return null
      return this.#why === 'timeout' && judged.result === null ? timedOut(timeoutMs) : judged
    } finally {
      clearTimeout(late)
      this.#isOver = true
    }
  }

  /** Resolves once the work after the answer is done. */
  async settled(): Promise<void> {
    while (this.#deferred.length > 0) await Promise.allSettled(this.#deferred.splice(0))
  }

  #end(why: 'timeout' | 'not_ours'): void {
    this.#why ??= why
    this.#stop.abort()
  }

  /** Says that we live, until we are done or must stop. */
  async #keepHold(): Promise<void> {
    const { jobRuns, now } = this.#services
    let heldUntil = now() + this.#claim.leaseMs
    while (!this.#isOver) {
      const askedAt = now()
      try {
        const mayGoOn = await jobRuns.hold(this.#message, this.#claim)
        if (!mayGoOn && !this.#isOver) this.#end('not_ours')
        if (!mayGoOn) return
        heldUntil = askedAt + this.#claim.leaseMs
      } catch {
        // Another may have begun: two calls for one job are one too many.
        if (now() + HOLD_AGAIN_MS >= heldUntil) return this.#end('not_ours')
        await sleep(HOLD_AGAIN_MS)
      }
    }
  }

  async #call(run: Run): Promise<JudgedRun> {
    try {
      const call = await callOf(this.#services, run, this.#scope())
      return await judgeAnswer(call, await answerSilently(this.#services, call))
    } catch (error) {
      if (error instanceof GatewayError) return judgeRefusal(error)
      this.#services.log({ event: 'job_broke', job: this.#message.job, error: String(error) })
      return broken('The job broke within the gateway')
    }
  }

  #scope(): RequestScope {
    const { now } = this.#services
    return {
      requestId: `req_${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}`,
      traceId: crypto.randomUUID().replaceAll('-', ''),
      startedAt: now(),
      address: null,
      signal: this.#stop.signal,
      defer: (work) => void this.#deferred.push(work),
      timing: newTiming(),
      queue: newQueueState(),
      waits: new Deadlines(now),
    }
  }
}

/** As its sender would have called, but that it waits for its turn whatever the tier says, and is not counted again. */
async function callOf(services: Services, run: Run, scope: RequestScope): Promise<Call> {
  const { job, facts } = run.stored
  const key = await services.keys.findKey(facts.key).catch((cause: unknown) => {
    throw new GatewayError('store_unavailable', 'The store of keys cannot be reached', { cause })
  })
  // Deleted since.
  if (key === null) throw refusalOfKey('key_revoked')
  const known = letIn(key, services.now(), facts.token ?? undefined)
  if (known.kind === 'refused') throw refusalOfKey(known.reason)
  const request = new Request(`https://sluice.invalid${facts.target}`, {
    headers: { ...facts.headers, 'sluice-user': facts.user },
  })
  const { caller } = known
  const body = run.request
  const call = describeCall(services, { kind: 'messages', request, scope, caller, body })
  const { gate, jobs } = services.config
  return {
    ...call,
    lane: job.lane,
    maxWaitMs: isPolite(services, run.stored.job)
      ? 0
      : Math.min(gate.queueWaitMs, jobs.timeoutMs / 2),
    // The job tries again by itself: each attempt is one call.
    isClientRetry: true,
    limits: { kind: 'allowed', windows: [], degraded: false, isUncounted: true },
  }
}

/**
 * Work of the low lane takes what is free, and stands in nobody's line. But not for ever: after so long it waits
 * like others, and has its lane's share of an account that is always full.
 */
function isPolite({ config, now }: Services, { lane, waitingSince }: Job): boolean {
  if (lane !== 'low') return false
  return now() - waitingSince < POLITE_WAITS * config.gate.queueWaitMs
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
