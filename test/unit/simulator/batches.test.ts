// Batches as a state machine: what is checked at once, what becomes a result, what a cancel catches.
import { describe, expect, it } from 'vitest'
import { BatchStore } from '../../../tools/simulator/batches.ts'
import { ask, headers, post, simulatorForFile } from './support.ts'

const running = await simulatorForFile({ batchMs: 60_000, batchCancelMs: 0 })
const PATH = '/v1/messages/batches'

interface BatchView {
  id: string
  processing_status: string
  request_counts: Record<string, number>
  results_url: string | null
  ended_at: string | null
  cancel_initiated_at: string | null
}

interface Line {
  custom_id: string
  result: { type: string; error?: { error: { type: string; message: string } } }
}

const item = (id: unknown, params: unknown = ask(`task ${String(id)}`)) => ({
  custom_id: id,
  params,
})

async function create(requests: unknown[], key = 'sk-ant-sim-test'): Promise<BatchView> {
  const answer = await post(running, { requests }, { path: PATH, headers: { 'x-api-key': key } })
  return (await answer.json()) as BatchView
}

async function call(path: string, method = 'GET'): Promise<Response> {
  return fetch(`${running.url}${PATH}${path}`, { method, headers: headers() })
}

const view = async (id: string) => (await (await call(`/${id}`)).json()) as BatchView

async function results(id: string): Promise<Line[]> {
  const text = await (await call(`/${id}/results`)).text()
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
}

describe('a batch is refused for', () => {
  it.each([
    [[], 'requests: List should have at least 1 item'],
    [[item('a'), item('a')], 'requests.1.custom_id: custom_id must be unique: a'],
    [[item('a b')], /custom_id: String should match pattern/],
    [[item('x'.repeat(65))], /custom_id: String should match pattern/],
    [[item(5)], 'requests.0.custom_id: Input should be a valid string'],
    [[{ custom_id: 'a' }], 'requests.0.params: Field required'],
    ['x', 'requests: Input should be a valid list'],
  ])('%j', async (requests, message) => {
    const answer = await post(running, { requests }, { path: PATH })
    const body = (await answer.json()) as { error: { message: string } }
    expect(answer.status).toBe(400)
    if (typeof message === 'string') expect(body.error.message).toBe(message)
    else expect(body.error.message).toMatch(message)
  })
})

describe('a batch', () => {
  it('turns a bad request into an errored result, not into a refusal', async () => {
    const created = await create([
      item('good'),
      item('bad', { ...ask('x'), model: 'none' }),
      item('streamed', ask('x', { stream: true })),
      item('threaded', ask('x', { thread: { type: 'create' } })),
      item('late', ask('[sim:expire]')),
      item('broken', ask('[sim:error]')),
      item('odd', { messages: [null, { role: 'user' }] }),
    ])
    running.sim.batches.endNow(created.id)
    const lines = await results(created.id)
    const fates = Object.fromEntries(lines.map((line) => [line.custom_id, line.result.type]))
    expect(fates).toEqual({
      good: 'succeeded',
      bad: 'errored',
      streamed: 'errored',
      threaded: 'errored',
      late: 'expired',
      broken: 'errored',
      odd: 'errored',
    })
    expect((await view(created.id)).request_counts).toEqual({
      processing: 0,
      succeeded: 1,
      errored: 5,
      canceled: 0,
      expired: 1,
    })
    const bad = lines.find((line) => line.custom_id === 'bad')
    expect(bad?.result.error?.error.type).toBe('not_found_error')
  })

  it('gives its results in another order, the same every time', async () => {
    const ids = Array.from({ length: 30 }, (_, index) => `r${index}`)
    const created = await create(ids.map((id) => item(id)))
    running.sim.batches.endNow(created.id)
    const first = (await results(created.id)).map((line) => line.custom_id)
    expect(first).not.toEqual(ids)
    expect(first.toSorted()).toEqual(ids.toSorted())
    expect((await results(created.id)).map((line) => line.custom_id)).toEqual(first)
  })

  it('has no results and cannot be deleted before its end', async () => {
    const { id } = await create([item('a')])
    expect((await call(`/${id}/results`)).status).toBe(404)
    expect((await call(`/${id}`, 'DELETE')).status).toBe(400)
  })

  it('belongs to its workspace', async () => {
    const { id } = await create([item('a')], 'sk-ant-sim-other')
    expect((await call(`/${id}`)).status).toBe(404)
    expect(((await (await call('')).json()) as { data: unknown[] }).data).toEqual([])
  })

  it('books its usage once, at the batch tier', async () => {
    const { id } = await create([item('a'), item('b')])
    running.sim.batches.endNow(id)
    await results(id)
    await results(id)
    const usage = running.sim.usage.view() as { data: Record<string, unknown>[] }
    expect(usage.data).toMatchObject([{ service_tier: 'batch', requests: 2 }])
  })

  it('is canceled: what was not done by then is, and the counts add up', async () => {
    const created = await create(Array.from({ length: 20 }, (_, index) => item(`r${index}`)))
    const canceled = (await (await call(`/${created.id}/cancel`, 'POST')).json()) as BatchView
    expect(canceled.cancel_initiated_at).not.toBeNull()
    const ended = await view(created.id)
    expect(ended.processing_status).toBe('ended')
    expect(ended.request_counts['canceled']).toBeGreaterThan(15)
    const sum = Object.values(ended.request_counts).reduce((total, count) => total + count, 0)
    expect(sum).toBe(20)
  })
})

describe('the state of a batch', () => {
  it('is read off the clock: in progress, canceling, ended', () => {
    const clock = { now: 0 }
    const store = new BatchStore(() => clock.now)
    const body = { requests: [item('a'), item('b')] }
    const batch = store.create('w', body, { id: 'b1', durationMs: 1_000, seed: 1 })
    expect(store.stateOf(batch)).toBe('in_progress')
    clock.now = 500
    store.cancel(batch, 100)
    expect(store.stateOf(batch)).toBe('canceling')
    clock.now = 600
    expect(store.stateOf(batch)).toBe('ended')
    store.cancel(batch, 100)
    expect(batch.cancelAtMs).toBe(500)
    store.delete(batch)
    expect(() => store.find('w', 'b1')).toThrow(/not found/)
  })
})
