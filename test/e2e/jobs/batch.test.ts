// Jobs at half price: gathered, sent as one batch, asked after, ended each with its own result; and what becomes of them
// when the gateway dies meanwhile, or time runs short.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isAlive } from '../../../tools/dev/processes.ts'
import { type RunningSimulator, startSimulator } from '../../../tools/simulator/server.ts'
import { eventually } from '../../support/eventually.ts'
import { type DevProcess, startDev } from '../../support/gateway-process.ts'
import { jobClient, type ShownJob } from '../../support/job-client.ts'

const BATCHES = '/v1/messages/batches'
const dir = mkdtempSync(join(tmpdir(), 'sluice-job-batch-'))
let simulator: RunningSimulator
let dev: DevProcess
const client = () => jobClient(dev.ready.url, dev.ready.keys.enterprise)

const start = async (): Promise<void> => {
  dev = await startDev({
    dir,
    env: {
      ANTHROPIC_BASE_URL: simulator.url,
      SLUICE_LEASE_TTL_MS: '3000',
      SLUICE_LEASE_RENEW_MS: '500',
      SLUICE_JOB_TIMEOUT_MS: '1500',
      SLUICE_QUEUE_WAIT_MS: '500',
    },
  })
}

beforeAll(async () => {
  simulator = await startSimulator()
  await start()
})
afterAll(async () => {
  await dev.stop('SIGKILL')
  await simulator.close()
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
})

const sendMany = (count: number, fields: object, prompt = '[sim:tokens=20]') =>
  Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const { body } = await client().send({ prompt: `${prompt} ${n % 10}`, fields: { ...fields } })
      return body.id
    }),
  )
const batchesSent = () =>
  simulator.journal.list({ path: BATCHES }).filter(({ method }) => method === 'POST').length
const endOf = (ids: readonly string[]): Promise<ShownJob[]> =>
  Promise.all(ids.map((id) => client().ended(id, 30_000)))

test('jobs that can wait are one batch, each with its answer, and cost half to the micro-dollar', async () => {
  simulator.sim.settings.batchMs = 300
  const [byItself] = await endOf(await sendMany(1, {}))
  const before = batchesSent()
  const [ids, low] = await Promise.all([
    sendMany(10, { mode: 'batch' }),
    sendMany(2, { mode: 'auto', lane: 'low' }),
  ])
  const ended = await endOf([...ids, ...low])
  expect(ended.map(({ status }) => status)).toEqual(ended.map(() => 'succeeded'))
  expect(batchesSent() - before).toBe(1)
  for (const job of ended) {
    expect(job.cost_usd * 1e9).toBe(Math.round(Number(byItself?.cost_usd) * 1e9) / 2)
    expect(job.result).toMatchObject({ type: 'message', role: 'assistant' })
  }
  // Each has its own result: texts differ with what was asked.
  const texts = ended.slice(0, 10).map(({ result }) => JSON.stringify(result))
  expect(new Set(texts).size).toBe(10)
  const usage = await client().ask<{ data: { cost_usd: number; requests: number }[] }>(
    '/v1/usage?group_by=model',
  )
  const half = Number(byItself?.cost_usd) / 2
  expect(usage.body.data[0]).toMatchObject({ requests: 13 })
  expect(Number(usage.body.data[0]?.cost_usd)).toBeCloseTo(half * 14, 9)
})

test('what fails in its batch is called by itself', async () => {
  simulator.sim.settings.batchMs = 200
  const before = batchesSent()
  const [id = ''] = await sendMany(1, { mode: 'batch' }, '[sim:expire] [sim:tokens=5]')
  const job = await client().ended(id, 20_000)
  expect(job).toMatchObject({ status: 'succeeded', mode: 'batch' })
  expect(batchesSent() - before).toBe(1)
})

test('before its deadline a job leaves a slow batch and is called by itself', async () => {
  simulator.sim.settings.batchMs = 60_000
  const before = batchesSent()
  const [id = ''] = await sendMany(1, { mode: 'batch', deadline_seconds: 5 })
  expect(await client().ended(id, 20_000)).toMatchObject({ status: 'succeeded', attempts: 1 })
  expect(batchesSent() - before).toBe(1)
})

test('a gateway that dies while a batch is under way reads its results when it is back', async () => {
  simulator.sim.settings.batchMs = 2_500
  const before = batchesSent()
  const ids = await sendMany(5, { mode: 'batch' })
  await eventually(batchesSent, (count) => count > before, { withinMs: 10_000 })
  await eventually(
    () => simulator.journal.list({ path: BATCHES, state: 'finished' }).length,
    (count) => count > 0,
    { withinMs: 2_000 },
  )
  await new Promise((resolve) => setTimeout(resolve, 300))
  const { pids } = dev.ready
  for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  await eventually(
    () => pids.some(isAlive),
    (alive) => !alive,
    { withinMs: 5_000 },
  )
  await start()
  const ended = await endOf(ids)
  expect(ended.map(({ status }) => status)).toEqual(ended.map(() => 'succeeded'))
  expect(batchesSent() - before).toBe(1)
})
