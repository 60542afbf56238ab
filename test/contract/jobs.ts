// What every adapter of Jobs, JobRuns and JobDesk promises, whatever carries it.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type {
  JobBatchRuns,
  JobDesk,
  JobMessage,
  JobRuns,
  Jobs,
  JobSubmission,
} from '../../src/ports/jobs.ts'
import { eventually } from '../support/eventually.ts'
import { broke, bytes, submission, type SubmissionChange, succeeded } from '../support/jobs.ts'

export interface JobsUnderTest {
  readonly jobs: Jobs & JobRuns & JobBatchRuns & JobDesk
  stop(): void
}

const LEASE_MS = 30_000
const anyPage = { limit: 10, after: null }

export function describeJobs(name: string, make: () => JobsUnderTest): void {
  describe(`${name} jobs`, () => {
    let under: JobsUnderTest
    let jobs: JobsUnderTest['jobs']
    let tenant: string
    beforeEach(() => {
      under = make()
      jobs = under.jobs
      tenant = crypto.randomUUID()
    })
    afterEach(() => under.stop())

    const by = (token: string, leaseMs = LEASE_MS) => ({ token, leaseMs })
    const messageOf = ({ job }: JobSubmission): JobMessage => ({ tenant, job: job.id })
    const taken = async (change: SubmissionChange = {}): Promise<JobMessage> => {
      const asked = submission({ tenant, ...change })
      expect(await jobs.submit(asked)).toMatchObject({ kind: 'taken', taken: { id: asked.job.id } })
      return messageOf(asked)
    }
    const dead = async (): Promise<JobMessage> => {
      const message = await taken({ attempts: 1 })
      await jobs.claim(message, by('a'))
      await jobs.finish(message, { token: 'a', end: broke, result: null })
      return message
    }

    test('keep a request of many pieces and give it to its runner, byte for byte', async () => {
      const request = bytes(2_500_000)
      const message = await taken({ request })
      const claimed = await jobs.claim(message, by('a'))
      expect(claimed).toMatchObject({ kind: 'run', attempt: 1, stored: { requestPieces: 3 } })
      if (claimed.kind === 'run') expect(Buffer.from(claimed.request).equals(request)).toBe(true)
    })

    test('keep a result of many pieces with the end of its job', async () => {
      const message = await taken()
      await jobs.claim(message, by('a'))
      const result = bytes(1_500_000)
      const ended = await jobs.finish(message, succeeded('a', result))
      expect(ended?.job).toMatchObject({ status: 'succeeded', costNanoUsd: 7 })
      const stored = await jobs.find(tenant, message.job)
      if (stored === null) throw new Error('The job is gone')
      expect(Buffer.from(await jobs.readResult(stored)).equals(result)).toBe(true)
    })

    test('give a job to one of twenty runners', async () => {
      const message = await taken()
      const tokens = Array.from({ length: 20 }, (_, n) => `t${n}`)
      const claims = await Promise.all(tokens.map((token) => jobs.claim(message, by(token))))
      expect(claims.filter(({ kind }) => kind === 'run')).toHaveLength(1)
      expect(claims.filter(({ kind }) => kind === 'nothing')).toHaveLength(19)
    })

    test('make one job of twenty requests with one key', async () => {
      const asked = Array.from({ length: 20 }, () => submission({ tenant, key: 'k' }))
      const answers = await Promise.all(asked.map((each) => jobs.submit(each)))
      expect(answers.filter(({ kind }) => kind === 'taken')).toHaveLength(1)
      const ids = answers.map((answer) => ('taken' in answer ? answer.taken.id : null))
      expect(new Set(ids).size).toBe(1)
      const other = submission({ tenant, key: 'k', bodyHash: 'other' })
      expect(await jobs.submit(other)).toEqual({ kind: 'mismatch' })
      const { data } = await jobs.list(tenant, { status: null, lane: null, owner: null }, anyPage)
      expect(data).toHaveLength(1)
    })

    test('say of a large request that it is still coming', async () => {
      const asked = Array.from({ length: 3 }, () =>
        submission({ tenant, key: 'large', request: bytes(3_000_000) }),
      )
      const answers = await Promise.all(asked.map((each) => jobs.submit(each)))
      const kinds = answers.map(({ kind }) => kind).toSorted()
      expect(kinds.filter((kind) => kind === 'taken')).toHaveLength(1)
      expect(kinds.every((kind) => ['taken', 'in_flight', 'replay'].includes(kind))).toBe(true)
    })

    test('keep the tenants apart', async () => {
      const message = await taken({ key: 'k' })
      expect(await jobs.find(`${tenant}-other`, message.job)).toBeNull()
      expect(await jobs.cancel(`${tenant}-other`, message.job)).toBeNull()
      expect(await jobs.submit(submission({ tenant: `${tenant}-other`, key: 'k' }))).toMatchObject({
        kind: 'taken',
      })
    })

    test('stop a runner at once when its job is canceled, and hear nothing more of it', async () => {
      const message = await taken()
      await jobs.claim(message, by('a'))
      const holding = jobs.hold(message, by('a'))
      const canceled = await jobs.cancel(tenant, message.job)
      expect(canceled?.job.status).toBe('canceled')
      expect(await holding).toBe(false)
      const late = await jobs.finish(message, succeeded('a', bytes(10)))
      expect(late).toMatchObject({ job: { status: 'canceled' }, resultPieces: 0 })
    })

    test('let a runner that is heard of go on', async () => {
      const message = await taken()
      await jobs.claim(message, by('a', 300))
      for (let n = 0; n < 5; n += 1) expect(await jobs.hold(message, by('a', 300))).toBe(true)
      expect((await jobs.find(tenant, message.job))?.job).toMatchObject({ attempts: 1 })
    })

    test('give the job of a silent runner to the next, and leave the first without a word', async () => {
      const message = await taken()
      await jobs.claim(message, by('a', 50))
      const claimed = await eventually(
        () => jobs.claim(message, by('b')),
        ({ kind }) => kind === 'run',
        { withinMs: 5_000 },
      )
      expect(claimed).toMatchObject({ kind: 'run', attempt: 2 })
      expect(await jobs.hold(message, by('a'))).toBe(false)
      const late = await jobs.finish(message, succeeded('a', bytes(10)))
      expect(late?.job).toMatchObject({ status: 'running', run: { token: 'b' } })
    })

    test('say that an end is to be told until it was', async () => {
      const message = await taken()
      await jobs.cancel(tenant, message.job)
      expect(await jobs.claim(message, by('a'))).toMatchObject({ kind: 'tell' })
      await jobs.told(message, 0)
      expect(await jobs.claim(message, by('a'))).toEqual({ kind: 'nothing' })
    })

    test('list in pages, the latest first', async () => {
      const messages: JobMessage[] = []
      for (let n = 0; n < 5; n += 1) messages.push(await taken({ lane: n === 0 ? 'low' : 'high' }))
      const all = { status: null, lane: null, owner: null }
      const first = await jobs.list(tenant, all, { limit: 3, after: null })
      const rest = await jobs.list(tenant, all, { limit: 3, after: first.next })
      const listed = [...first.data, ...rest.data].map(({ job }) => job.id)
      expect(listed).toEqual(messages.map(({ job }) => job).toReversed())
      expect(rest.next).toBeNull()
      const low = await jobs.list(tenant, { ...all, lane: 'low' }, anyPage)
      expect(low.data).toMatchObject([{ job: { id: messages[0]?.job } }])
    })

    test('redrive a dead letter once, however often that is asked at once', async () => {
      const message = await dead()
      const other = await dead()
      const listed = await jobs.listDead({ tenant, lane: null }, anyPage)
      expect(listed.data.map(({ job }) => job.id).toSorted()).toEqual([message.job, other.job])
      const asked = await Promise.all(
        Array.from({ length: 5 }, () => jobs.redrive(tenant, [message.job])),
      )
      expect(asked.flat()).toEqual([message.job])
      const again = await jobs.claim(message, by('b'))
      expect(again).toMatchObject({ kind: 'run', attempt: 1, stored: { job: { round: 1 } } })
      expect(await jobs.purge(tenant, [message.job, other.job])).toEqual([other.job])
      expect(await jobs.find(tenant, other.job)).toBeNull()
    })

    const gathered = async (message: JobMessage): Promise<JobMessage> => {
      const stored = await eventually(
        () => jobs.find(tenant, message.job),
        (found) => found?.job.status === 'running',
        { withinMs: 5_000 },
      )
      return { tenant, job: stored?.job.batch?.id ?? 'none' }
    }
    const claimedBatch = (message: JobMessage, token: string) =>
      eventually(
        () => jobs.claimBatch(message, by(token)),
        (claimed) => claimed !== null,
        { withinMs: 5_000 },
      )

    test('gather the jobs of a group, and give their batch to one at a time', async () => {
      const many = { group: 'g', noticeMs: 600, request: bytes(1_200_000) }
      const messages = [await taken(many), await taken(many), await taken(many)]
      const alone = await taken({ group: 'h', noticeMs: 50 })
      const [first = alone] = messages
      const batch = await gathered(first)
      expect(await gathered(alone)).not.toEqual(batch)
      const claims = await Promise.all(
        ['a', 'b', 'c'].map((each) => jobs.claimBatch(batch, by(each))),
      )
      const [claimed, ...others] = claims.filter((each) => each !== null)
      expect(others).toEqual([])
      expect(claimed?.jobs.map(({ job }) => job.id)).toEqual(messages.map(({ job }) => job))
      const [stored] = claimed?.jobs ?? []
      if (stored === undefined) throw new Error('The batch is empty')
      expect(Buffer.from(await jobs.readRequest(stored)).equals(many.request)).toBe(true)
    })

    test('end the jobs of a batch each with its own result, and have the rest called by itself', async () => {
      const change = { group: 'g', noticeMs: 300 }
      const first = await taken(change)
      const canceled = await taken(change)
      const rest = await taken(change)
      const batch = await gathered(first)
      const sending = await claimedBatch(batch, 'a')
      const token = sending?.batch.run?.token ?? ''
      await jobs.sentBatch(batch, 'stranger', { account: 'x', upstreamId: 'x' })
      await jobs.sentBatch(batch, token, { account: 'one', upstreamId: 'msgbatch_1' })
      await jobs.cancel(tenant, canceled.job)
      const looking = await claimedBatch(batch, 'b')
      expect(looking?.batch.sent).toEqual({ account: 'one', upstreamId: 'msgbatch_1' })
      expect(looking?.jobs.map(({ job }) => job.id)).toEqual([first.job, rest.job])
      const result = bytes(10)
      expect(await jobs.finish(canceled, succeeded(batch.job, result))).toMatchObject({
        job: { status: 'canceled' },
      })
      expect(await jobs.finish(first, succeeded(batch.job, result))).toMatchObject({
        job: { status: 'succeeded', attempts: 1 },
      })
      await jobs.endBatch(batch, looking?.batch.run?.token ?? '')
      expect(await jobs.claimBatch(batch, by('c'))).toBeNull()
      expect(await jobs.claim(rest, by('d'))).toMatchObject({ kind: 'run', attempt: 1 })
    })

    test('count what is queued, runs, came and went, over all tenants', async () => {
      const countOf = async () => {
        const lanes = await jobs.counts()
        const low = lanes.find(({ lane }) => lane === 'low')
        if (low === undefined) throw new Error('There is no lane low')
        return low
      }
      const before = await countOf()
      const first = await taken({ lane: 'low' })
      await taken({ lane: 'low' })
      await taken({ lane: 'low' })
      await jobs.claim(first, by('a'))
      // An object is known to operators a moment after its first job.
      const now = await eventually(countOf, ({ queued }) => queued > before.queued, {
        withinMs: 5_000,
      })
      expect(now).toMatchObject({ queued: before.queued + 2, running: before.running + 1 })
      await jobs.finish(first, succeeded('a', bytes(1)))
      expect(await countOf()).toMatchObject({
        running: before.running,
        cameIn: before.cameIn + 3,
        wentOut: before.wentOut + 1,
      })
    })
  })
}
