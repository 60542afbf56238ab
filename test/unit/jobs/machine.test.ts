// The state machine of a job: by name what matters most, and by chance all that may come in between.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isOpen, type Job, type JobRules, type RunEnd } from '../../../src/core/jobs/job.ts'
import {
  advance,
  cancel,
  claim,
  finish,
  joinBatch,
  newJob,
  noticed,
  redrive,
  renew,
  told,
  wakeAt,
} from '../../../src/core/jobs/machine.ts'

const rules: JobRules = {
  attempts: 3,
  backoffMs: [10_000, 30_000],
  resultTtlMs: 3_600_000,
  lifeMs: 86_400_000,
  noticeMs: 15_000,
  marginMs: 300_000,
}
const LEASE_MS = 60_000
const fresh = (change: Partial<JobRules> = {}): Job =>
  newJob(
    { id: 'job_1', lane: 'low', mode: 'realtime', group: null, rules: { ...rules, ...change } },
    0,
  )
const by = (token: string) => ({ token, leaseMs: LEASE_MS })
const error = { type: 'api_error', message: 'no' }
const broke: RunEnd = { kind: 'failed', error, next: 'retry', retryAfterMs: null }
const full: RunEnd = { kind: 'refused', error, retryAfterMs: 2_500 }
const answered: RunEnd = { kind: 'succeeded', costNanoUsd: 7 }
const begun = (job: Job, token: string, now: number): Job => {
  const [running, said] = claim(job, by(token), now)
  expect(said.kind).toBe('run')
  return running
}

describe('a job', () => {
  test('runs once, however often its message comes', () => {
    const running = begun(fresh(), 'a', 1)
    const [same, said] = claim(running, by('b'), 2)
    expect([said.kind, same]).toEqual(['nothing', running])
    const done = finish(same, 'a', answered, 3)
    expect(done).toMatchObject({ status: 'succeeded', attempts: 1, costNanoUsd: 7, endedAt: 3 })
    expect(claim(done, by('c'), 4)[1]).toEqual({ kind: 'tell' })
    expect(claim(told(done, 0), by('c'), 5)[1]).toEqual({ kind: 'nothing' })
  })

  test('comes back after a failure when its back-off is over, and dies with its last attempt', () => {
    let job = finish(begun(fresh(), 'a', 0), 'a', broke, 1_000)
    expect(job).toMatchObject({ status: 'queued', dueAt: 11_000 })
    expect(claim(job, by('b'), 10_999)[1]).toEqual({ kind: 'nothing' })
    job = finish(begun(job, 'b', 11_000), 'b', broke, 12_000)
    expect(job.dueAt).toBe(42_000)
    job = finish(begun(job, 'c', 42_000), 'c', broke, 43_000)
    expect(job).toMatchObject({ status: 'failed', isDead: true, attempts: 3, error })
  })

  test('uses no attempt up where it was refused, and waits as long as it was told', () => {
    let job = fresh()
    for (let round = 0; round < 10; round += 1) {
      job = finish(begun(job, `r${round}`, job.dueAt), `r${round}`, full, job.dueAt)
      expect(job).toMatchObject({ status: 'queued', attempts: 0, dueAt: (round + 1) * 2_500 })
    }
    expect(job).toMatchObject({ refusals: 10, waitingSince: 0 })
    const untold = finish(begun(job, 'z', 30_000), 'z', { ...full, retryAfterMs: null }, 30_000)
    expect(untold.dueAt).toBe(31_000)
  })

  test('fails at once, and for good, by its own fault', () => {
    const job = finish(begun(fresh(), 'a', 0), 'a', { ...broke, next: 'final' }, 1)
    expect(job).toMatchObject({ status: 'failed', isDead: false })
    expect(redrive(job, 2)).toBe(job)
  })

  test('comes back at once when its runner is dead, with that attempt used up', () => {
    const running = begun(fresh(), 'a', 0)
    expect(advance(running, LEASE_MS - 1)).toBe(running)
    const back = advance(running, LEASE_MS)
    expect(back).toMatchObject({ status: 'queued', attempts: 1, dueAt: LEASE_MS, run: null })
    expect(begun(back, 'b', LEASE_MS).attempts).toBe(2)
  })

  test('dies where each attempt takes its runner with it', () => {
    let job = fresh()
    for (let at = 0; at < 3 * LEASE_MS; at += LEASE_MS) job = begun(job, `r${at}`, at)
    job = advance(job, 3 * LEASE_MS)
    expect(job).toMatchObject({ status: 'failed', isDead: true, attempts: 3 })
  })

  test('takes the success of a runner that was given up, unless another has begun', () => {
    const back = advance(begun(fresh(), 'a', 0), LEASE_MS)
    expect(finish(back, 'a', answered, LEASE_MS + 1).status).toBe('succeeded')
    const other = begun(back, 'b', LEASE_MS)
    expect(finish(other, 'a', answered, LEASE_MS + 1)).toBe(other)
    expect(finish(back, 'a', broke, LEASE_MS + 1)).toBe(back)
  })

  test('is canceled in each state that has not ended, and its runner is told to stop', () => {
    expect(cancel(fresh(), 1).status).toBe('canceled')
    const canceled = cancel(begun(fresh(), 'a', 0), 1)
    expect(canceled.status).toBe('canceled')
    expect(renew(canceled, by('a'), 2)[1]).toBe(false)
    expect(finish(canceled, 'a', answered, 3)).toBe(canceled)
    const done = finish(begun(fresh(), 'a', 0), 'a', answered, 1)
    expect(cancel(done, 2)).toBe(done)
  })

  test('expires at its deadline, queued or running', () => {
    const short = fresh({ lifeMs: 5_000 })
    expect(advance(short, 5_000)).toMatchObject({ status: 'expired', endedAt: 5_000 })
    const running = begun(short, 'a', 4_000)
    expect(renew(running, by('a'), 4_999)[1]).toBe(true)
    const [late, mayGoOn] = renew(running, by('a'), 5_000)
    expect([late.status, mayGoOn]).toEqual(['expired', false])
  })

  test('is redriven once, as if it were new', () => {
    const dead = finish(begun(fresh({ attempts: 1 }), 'a', 0), 'a', broke, 1_000)
    const again = redrive(told(dead, 0), 5_000)
    expect(again).toMatchObject({ status: 'queued', attempts: 0, dueAt: 5_000, round: 1 })
    expect(redrive(again, 6_000)).toBe(again)
    const done = finish(begun(again, 'b', 6_000), 'b', answered, 7_000)
    // What was still to be said of the first end must not silence the second.
    expect(told(done, 0).isTold).toBe(false)
    expect(told(done, 1).isTold).toBe(true)
  })

  test('that gathers for a batch is called by itself in time before its deadline', () => {
    const gathering = newJob({ id: 'job_1', lane: 'low', mode: 'batch', group: 'g', rules }, 0)
    const fallbackAt = rules.lifeMs - rules.marginMs
    expect(claim(gathering, by('a'), fallbackAt - 1)[1]).toEqual({ kind: 'nothing' })
    expect(begun(gathering, 'a', fallbackAt)).toMatchObject({ batch: null, attempts: 1 })
    expect(joinBatch(gathering, 'bat_1', fallbackAt)).toBe(gathering)
  })

  test('in a batch takes its result, or leaves it with no attempt used up', () => {
    const made = newJob({ id: 'job_1', lane: 'low', mode: 'batch', group: 'g', rules }, 0)
    const inside = joinBatch(made, 'bat_1', 1_000)
    expect(inside).toMatchObject({ status: 'running', attempts: 1 })
    expect(joinBatch(inside, 'bat_2', 1_000)).toBe(inside)
    expect(finish(inside, 'bat_1', answered, 2_000)).toMatchObject({ status: 'succeeded' })
    const fallbackAt = rules.lifeMs - rules.marginMs
    expect(advance(inside, fallbackAt - 1)).toBe(inside)
    const left = advance(inside, fallbackAt)
    expect(left).toMatchObject({ status: 'queued', attempts: 0, dueAt: fallbackAt, batch: null })
    // The batch may still be the first to answer.
    expect(finish(left, 'bat_1', answered, fallbackAt + 1).status).toBe('succeeded')
    const byItself = begun(left, 'a', fallbackAt)
    expect(finish(byItself, 'bat_1', answered, fallbackAt + 1)).toBe(byItself)
    expect(cancel(inside, 2_000)).toMatchObject({ status: 'canceled', run: null })
  })

  test('is announced again, ever later, until someone comes', () => {
    const once = noticed(fresh(), 0)
    expect(wakeAt(once)).toBe(15_000)
    const twice = noticed(once, 15_000)
    expect(wakeAt(twice)).toBe(45_000)
    expect(begun(twice, 'a', 46_000).notice).toEqual({ count: 0, until: 0 })
  })
})

interface World {
  job: Job
  now: number
  /** Runs that were granted and have not ended, as their runners see it. */
  readonly tokens: string[]
  granted: number
  refusals: number
  readonly ends: string[]
}

type Step = (world: World) => void

const settle =
  (end: RunEnd, which: number): Step =>
  (world) => {
    const token = world.tokens[which % Math.max(1, world.tokens.length)]
    if (token === undefined) return
    const { run } = world.job
    if (end.kind === 'refused' && run?.token === token && world.job.deadlineAt > world.now)
      world.refusals += 1
    world.job = finish(world.job, token, end, world.now)
  }

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.constant<Step>((world) => {
    const token = `t${world.granted}`
    const [job, said] = claim(world.job, by(token), world.now)
    world.job = job
    if (said.kind !== 'run') return
    world.granted += 1
    world.tokens.push(token)
  }),
  fc.integer({ min: 0, max: 90_000 }).map<Step>((ms) => (world) => {
    world.now += ms
  }),
  fc
    .tuple(
      fc.constantFrom<RunEnd>(answered, broke, full, { ...broke, next: 'dead' }),
      fc.nat({ max: 5 }),
    )
    .map(([end, which]) => settle(end, which)),
  fc.nat({ max: 5 }).map<Step>((which) => (world) => {
    const token = world.tokens[which % Math.max(1, world.tokens.length)]
    if (token === undefined) return
    const [job, mayGoOn] = renew(world.job, by(token), world.now)
    world.job = job
    expect(mayGoOn).toBe(job.run?.token === token)
  }),
  fc.constant<Step>((world) => {
    world.job = advance(world.job, world.now)
  }),
  fc.constant<Step>((world) => {
    world.job = noticed(world.job, world.now)
  }),
  fc.constant<Step>((world) => {
    world.job = told(world.job, world.job.round)
  }),
)

const events = fc.array(steps, { maxLength: 60 })

test('whatever comes in whatever order, a job ends once, and no two runners hold it', () => {
  fc.assert(
    fc.property(events, fc.boolean(), (sequence, isCanceled) => {
      const world: World = {
        job: fresh(),
        now: 0,
        tokens: [],
        granted: 0,
        refusals: 0,
        ends: [],
      }
      for (const [index, step] of sequence.entries()) {
        const before = world.job
        step(world)
        if (isCanceled && index === 30) world.job = cancel(world.job, world.now)
        const { job } = world
        // Terminal is terminal.
        if (!isOpen(before)) expect(job.status).toBe(before.status)
        if (isOpen(before) && !isOpen(job)) world.ends.push(job.status)
        expect(job.run !== null).toBe(job.status === 'running')
        expect(job.attempts).toBeLessThanOrEqual(rules.attempts)
        // Each run that began and was not refused is an attempt: so many calls at most.
        expect(world.granted - world.refusals).toBeLessThanOrEqual(rules.attempts)
        // Nothing open is ever forgotten.
        if (isOpen(job)) expect(wakeAt(job)).toBeLessThan(Infinity)
      }
      expect(world.ends.length).toBeLessThanOrEqual(1)
    }),
    { numRuns: 2_000 },
  )
})

test('a job that is only waited for ends by itself', () => {
  fc.assert(
    fc.property(events, (sequence) => {
      const world: World = {
        job: fresh(),
        now: 0,
        tokens: [],
        granted: 0,
        refusals: 0,
        ends: [],
      }
      for (const step of sequence) step(world)
      expect(isOpen(advance(world.job, Math.max(world.now, rules.lifeMs)))).toBe(false)
    }),
  )
})

test('every short sequence of events, each tried: one end, one holder', () => {
  const choices: Step[] = [
    (world) => {
      const token = `t${world.granted}`
      const [job, said] = claim(world.job, by(token), world.now)
      world.job = job
      if (said.kind === 'run') {
        world.granted += 1
        world.tokens.push(token)
      }
    },
    settle(answered, 0),
    settle(broke, 0),
    settle(full, 1),
    (world) => {
      world.now += LEASE_MS
    },
    (world) => {
      world.job = cancel(world.job, world.now)
    },
    (world) => {
      world.job = redrive(world.job, world.now)
    },
  ]
  let seen = 0
  const explore = (world: World, depth: number): void => {
    seen += 1
    if (depth === 0) return
    for (const step of choices) {
      const next = { ...world, tokens: [...world.tokens], ends: [...world.ends] }
      step(next)
      if (!isOpen(world.job) && !world.job.isDead) expect(next.job.status).toBe(world.job.status)
      expect(next.job.run === null || next.job.status === 'running').toBe(true)
      expect(next.job.isDead && next.job.status !== 'failed').toBe(false)
      explore(next, depth - 1)
    }
  }
  explore({ job: fresh({ attempts: 2 }), now: 0, tokens: [], granted: 0, refusals: 0, ends: [] }, 6)
  expect(seen).toBe(137_257)
})
