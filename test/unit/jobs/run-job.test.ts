// The runner of jobs: what it makes of refusals, failures and a place that cannot be reached, and whom it stands in line
// with.
import { afterEach, expect, test } from 'vitest'
import type { Account } from '../../../src/core/answering/account.ts'
import { GatewayError } from '../../../src/core/errors.ts'
import { type JobWorld, type JobWorldOptions, jobWorld } from '../../support/job-world.ts'

let world: JobWorld
afterEach(() => world.stop())

const open = (options: JobWorldOptions): JobWorld => {
  world = jobWorld(options)
  return world
}
const served = (): Response =>
  Response.json({
    type: 'message',
    model: 'claude-sonnet-5-5',
    usage: { input_tokens: 10, output_tokens: 5 },
  })
const claudeError = (status: number, type: string): Response =>
  Response.json({ type: 'error', error: { type, message: `Claude says ${type}` } }, { status })
const hangs = (): Promise<Response> => new Promise(() => {})
const unreachable = (): never => {
  throw new GatewayError('store_unavailable', 'away')
}

/** Takes the one slot of the account. */
async function occupy(): Promise<{ free(): Promise<void> }> {
  const [account] = world.services.config.accounts as [Account]
  const admission = await world.gates.admit(account, {
    ticket: crypto.randomUUID(),
    tenant: 'other',
    lane: 'high',
    modelClass: 'sonnet-5',
    estimatedInputTokens: 10,
    maxWaitMs: 0,
    account: { maxConcurrent: 1, minConcurrent: 1, draining: false },
  })
  if (admission.kind !== 'admitted') throw new Error('The slot is not free')
  const { id: leaseId, epoch } = admission.lease
  return {
    free: () =>
      world.gates.settle(account, { leaseId, epoch, outcome: { kind: 'served' }, rate: null }),
  }
}
const waitingAt = async (): Promise<number> => {
  const [account] = world.services.config.accounts as [Account]
  const snapshot = await (
    world.gates as typeof world.gates & {
      snapshot(of: Account): Promise<{ waiting: Record<string, number> }>
    }
  ).snapshot(account)
  return Object.values(snapshot.waiting).reduce((sum, count) => sum + count, 0)
}

test("a low job stands in nobody's line, uses no attempt up, and runs when there is room", async () => {
  open({ answer: served })
  const slot = await occupy()
  const id = await world.take({ lane: 'low' })
  const refused = await world.until(id, ({ refusals }) => refusals >= 2)
  expect(refused).toMatchObject({ attempts: 0, error: { type: 'overloaded_error' } })
  expect(await waitingAt()).toBe(0)
  await slot.free()
  const done = await world.until(id, ({ status }) => status === 'succeeded')
  expect(done).toMatchObject({ attempts: 1, costNanoUsd: 10 * 2_000 + 5 * 10_000 })
  expect(world.calls()).toBe(1)
})

test('a low job that has waited for long stands in line like others', async () => {
  open({ answer: served, settings: { SLUICE_QUEUE_WAIT_MS: 5_000 } })
  const slot = await occupy()
  const id = await world.take({ lane: 'low' })
  await world.until(id, ({ refusals }) => refusals >= 1)
  world.later(30 * 5_000)
  await world.until(id, ({ status }) => status === 'running')
  await expect.poll(waitingAt, { timeout: 5_000 }).toBe(1)
  await slot.free()
  await world.until(id, ({ status }) => status === 'succeeded')
})

test('a job of another lane waits for its turn at once', async () => {
  open({ answer: served, settings: { SLUICE_QUEUE_WAIT_MS: 5_000 } })
  const slot = await occupy()
  const id = await world.take({ lane: 'normal' })
  await expect.poll(waitingAt, { timeout: 5_000 }).toBe(1)
  await slot.free()
  await world.until(id, ({ status }) => status === 'succeeded')
})

test('an attempt is one call, whatever Claude answers', async () => {
  open({ answer: (nth) => (nth < 3 ? claudeError(529, 'overloaded_error') : served()) })
  const id = await world.take()
  expect(await world.until(id, ({ status }) => status === 'succeeded')).toMatchObject({
    attempts: 3,
  })
  expect(world.calls()).toBe(3)
  expect(world.told).toEqual([`${id} succeeded`])
})

test('a dead letter is told to the operator too', async () => {
  open({ answer: () => claudeError(500, 'api_error') })
  const id = await world.take({ attempts: 2 })
  await world.until(id, ({ isTold }) => isTold)
  expect(world.told).toEqual([`${id} failed`, 'dead_letter.added'])
  expect(await world.job(id)).toMatchObject({ isDead: true, attempts: 2 })
})

test('a key that was revoked since fails its jobs at once', async () => {
  open({ answer: served, key: { disabled: true } })
  const id = await world.take()
  expect(await world.until(id, ({ status }) => status === 'failed')).toMatchObject({
    isDead: false,
    error: { type: 'authentication_error' },
  })
  expect(world.calls()).toBe(0)
})

test('a tenant without money left has dead letters, not lost jobs', async () => {
  open({ answer: served, tier: { budgetUsdPerDay: 0 } })
  const id = await world.take()
  expect(await world.until(id, ({ status }) => status === 'failed')).toMatchObject({
    isDead: true,
    error: { type: 'billing_error' },
  })
  expect(world.calls()).toBe(0)
})

test('a store of keys that is down makes a job wait', async () => {
  open({ answer: served, findKey: () => Promise.reject(new Error('away')) })
  const id = await world.take()
  const waiting = await world.until(id, ({ refusals }) => refusals >= 2)
  expect(waiting).toMatchObject({ attempts: 0, error: { type: 'overloaded_error' } })
})

test('an answer is kept although its place hiccups, and Claude is asked once', async () => {
  let failures = 2
  open({
    answer: served,
    runs: (runs) => ({
      ...runs,
      finish: async (...given) => (failures-- > 0 ? unreachable() : runs.finish(...given)),
    }),
  })
  const id = await world.take()
  await world.until(id, ({ status }) => status === 'succeeded')
  expect(world.calls()).toBe(1)
})

test('a runner that cannot say that it lives cuts its call before another may begin', async () => {
  const signals: AbortSignal[] = []
  open({
    answer: (_, signal) => {
      signals.push(signal)
      return hangs()
    },
    settings: { SLUICE_LEASE_TTL_MS: 1_500, SLUICE_LEASE_RENEW_MS: 300 },
    runs: (runs) => ({ ...runs, hold: async () => unreachable() }),
  })
  const id = await world.take()
  const first = await world.until(id, ({ run }) => run !== null)
  await expect.poll(() => signals[0]?.aborted, { timeout: 4_000 }).toBe(true)
  expect(Date.now()).toBeLessThan(Number(first.run?.until))
})

test('a canceled call is cut, and its end is told as a cancel', async () => {
  const signals: AbortSignal[] = []
  open({
    answer: (_, signal) => {
      signals.push(signal)
      return hangs()
    },
  })
  const id = await world.take()
  await expect.poll(() => signals.length, { timeout: 4_000 }).toBe(1)
  await world.cancel(id)
  await expect.poll(() => signals[0]?.aborted, { timeout: 1_000 }).toBe(true)
  expect((await world.job(id)).status).toBe('canceled')
})

test('a stream that breaks is no result', async () => {
  const event = (type: string, data: object) => `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`
  const start = event('message_start', {
    type: 'message_start',
    message: { id: 'msg_1', content: [], usage: { input_tokens: 1, output_tokens: 1 } },
  })
  open({
    answer: (nth) =>
      nth === 1
        ? new Response(start, { headers: { 'content-type': 'text/event-stream' } })
        : new Response(start + event('message_stop', { type: 'message_stop' }), {
            headers: { 'content-type': 'text/event-stream' },
          }),
  })
  const body = { model: 'claude-sonnet-5-5', max_tokens: 9, stream: true, messages: [{}] }
  const id = await world.take({ request: new TextEncoder().encode(JSON.stringify(body)) })
  expect(await world.until(id, ({ status }) => status === 'succeeded')).toMatchObject({
    attempts: 2,
  })
})
