// A batch's steps against a Claude that the test plays: what is sent, what is asked again, what is called by itself.
import { afterEach, expect, test } from 'vitest'
import type { UpstreamCall } from '../../../src/ports.ts'
import { type JobWorld, type JobWorldOptions, jobWorld } from '../../support/job-world.ts'
import type { SubmissionChange } from '../../support/jobs.ts'

let world: JobWorld
afterEach(() => world.stop())

const GROUP = JSON.stringify(['claude-sonnet-5-5', [['anthropic-version', '2023-06-01']]])
const gathering: SubmissionChange = { group: GROUP, noticeMs: 150 }
const MESSAGE = {
  type: 'message',
  model: 'claude-sonnet-5-5',
  usage: { input_tokens: 10, output_tokens: 5 },
}
/** By itself: 10 tokens of 2,000 nano-dollars and 5 of 10,000. */
const HALF = (10 * 2_000 + 5 * 10_000) / 2

interface Made {
  readonly requests: readonly { readonly custom_id: string; readonly params: unknown }[]
}

/** Keeps batches as Claude does; `done` says when they have ended. */
class Batches {
  readonly made: Made[] = []
  readonly asked: string[] = []
  isDone = true

  answer({ method, target, body }: UpstreamCall): Response {
    this.asked.push(`${method} ${target.slice('/v1/messages'.length)}`)
    const [, id, results] = /\/batches\/msgbatch_(\d+)(\/results)?/.exec(target) ?? []
    if (method === 'POST' && target.endsWith('/batches')) {
      this.made.push(JSON.parse(new TextDecoder().decode(body ?? new Uint8Array(0))) as Made)
      return Response.json(this.#show(this.made.length - 1))
    }
    if (id === undefined) {
      return target.includes('/batches')
        ? Response.json({ data: this.made.map((_, at) => this.#show(at)) })
        : Response.json(MESSAGE)
    }
    if (results === undefined) return Response.json(this.#show(Number(id)))
    const lines = (this.made[Number(id)]?.requests ?? []).map((request) =>
      JSON.stringify({
        custom_id: request.custom_id,
        result: { type: 'succeeded', message: MESSAGE },
      }),
    )
    return new Response(lines.join('\n'))
  }

  #show(at: number): object {
    return {
      id: `msgbatch_${at}`,
      processing_status: this.isDone ? 'ended' : 'in_progress',
      created_at: new Date().toISOString(),
      request_counts: { processing: this.made[at]?.requests.length ?? 0, succeeded: 0 },
    }
  }
}

const open = (
  batches: Batches,
  before: (call: UpstreamCall) => Response | null = () => null,
  more: Partial<JobWorldOptions> = {},
): JobWorld => {
  world = jobWorld({
    answer: (_, __, call) => before(call) ?? batches.answer(call),
    settings: { SLUICE_LEASE_TTL_MS: 2_000, SLUICE_LEASE_RENEW_MS: 500 },
    ...more,
  })
  return world
}
const ended = (ids: readonly string[]) =>
  Promise.all(ids.map((id) => world.until(id, ({ status }) => status === 'succeeded')))
const takeMany = async (count: number): Promise<string[]> => {
  const ids: string[] = []
  for (let n = 0; n < count; n += 1) ids.push(await world.take(gathering))
  return ids
}

test('jobs are sent as they came under their own ids, and each ends with its result at half price', async () => {
  const batches = new Batches()
  open(batches)
  const ids = await takeMany(3)
  for (const job of await ended(ids)) expect(job).toMatchObject({ attempts: 1, costNanoUsd: HALF })
  expect(batches.made).toHaveLength(1)
  expect(batches.made[0]?.requests.map((request) => request.custom_id)).toEqual(ids)
  expect(batches.made[0]?.requests[0]?.params).toMatchObject({ max_tokens: 64 })
  const report = await world.services.ledgers.report('acme', {
    maxConcurrent: null,
    inputTokensPerMinute: null,
    outputTokensPerMinute: null,
    dayNanoUsd: null,
    monthNanoUsd: null,
  })
  expect(report.spentDayNanoUsd).toBe(3 * HALF)
})

test('a batch that arrived although its answer did not is found, and not sent twice', async () => {
  const batches = new Batches()
  let isCut = false
  open(batches, (call) => {
    if (call.method !== 'POST' || isCut) return null
    isCut = true
    batches.answer(call)
    throw new Error('The connection was cut')
  })
  await ended(await takeMany(2))
  expect(batches.made).toHaveLength(1)
  expect(batches.asked).toContain('GET /batches?limit=20')
})

test('a batch that Claude refuses is no fate of its jobs: each is called by itself', async () => {
  const batches = new Batches()
  open(batches, ({ method, target }) =>
    method === 'POST' && target.endsWith('/batches')
      ? Response.json(
          { type: 'error', error: { type: 'invalid_request_error', message: 'no' } },
          { status: 400 },
        )
      : null,
  )
  for (const job of await ended(await takeMany(2))) {
    expect(job).toMatchObject({ attempts: 1, costNanoUsd: 2 * HALF })
  }
})

test('a batch that its tenant cannot pay for as a whole is called for one by one', async () => {
  const batches = new Batches()
  // One job may produce 100 tokens: enough for one, not for eight.
  open(batches, () => null, { tier: { budgetUsdPerDay: 0.002 } })
  const ids = await takeMany(8)
  await ended(ids.slice(0, 1))
  expect(batches.made).toEqual([])
})

test('a job that is canceled while its batch is under way stays canceled', async () => {
  const batches = new Batches()
  batches.isDone = false
  open(batches)
  const [first = '', second = ''] = await takeMany(2)
  await expect.poll(() => batches.made.length, { timeout: 4_000 }).toBe(1)
  await world.cancel(first)
  batches.isDone = true
  await ended([second])
  expect(await world.job(first)).toMatchObject({ status: 'canceled', costNanoUsd: 0 })
})
