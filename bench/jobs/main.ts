// How much work of the low lane disturbs people who wait: interactive load that keeps an account full, with and without a
// hundred jobs beside it, in turns. Then the load ends, and the jobs must.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startGateway } from '../../tools/dev/gateway.ts'
import { startSimulator } from '../../tools/simulator/server.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '30' },
    rounds: { type: 'string', default: '2' },
    callers: { type: 'string', default: '20' },
    jobs: { type: 'string', default: '100' },
  },
})
const [seconds, rounds, callers, jobs] = [
  values.seconds,
  values.rounds,
  values.callers,
  values.jobs,
].map(Number) as [number, number, number, number]

const MODEL = 'claude-haiku-5-5'
const FINISH_WITHIN_MS = 300_000

interface Target {
  readonly url: string
  readonly key: string
}

const ask = (target: Target, path: string, body?: unknown): Promise<Response> =>
  fetch(`${target.url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      'x-api-key': target.key,
      'anthropic-version': '2023-06-01',
      'content-type': 'application/json',
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })

const message = (content: string) => ({
  model: MODEL,
  max_tokens: 100,
  messages: [{ role: 'user', content }],
})

/** Milliseconds of each answered call, by so many callers who ask again as soon as they are answered. */
async function load(target: Target, forMs: number): Promise<number[]> {
  const until = performance.now() + forMs
  const tookMs: number[] = []
  const caller = async (number: number): Promise<void> => {
    for (let n = 0; performance.now() < until; n += 1) {
      const startedAt = performance.now()
      const answer = await ask(target, '/v1/messages', message(`[sim:tokens=60] ${number} ${n}`))
      await answer.arrayBuffer()
      if (answer.status !== 200) throw new Error(`The load was answered ${answer.status}`)
      tookMs.push(performance.now() - startedAt)
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, number) => caller(number)))
  return tookMs
}

async function sendJobs(target: Target): Promise<void> {
  for (let n = 0; n < jobs; n += 1) {
    const request = message(`[sim:tokens=60] job ${n}`)
    const answer = await ask(target, '/v1/jobs', { request, lane: 'low' })
    if (answer.status !== 202) throw new Error(`A job was answered ${answer.status}`)
    await answer.arrayBuffer()
  }
}

async function countOpen(target: Target): Promise<number> {
  const count = async (status: string): Promise<number> => {
    const answer = await ask(target, `/v1/jobs?status=${status}&limit=100`)
    return ((await answer.json()) as { data: unknown[] }).data.length
  }
  return (await count('queued')) + (await count('running'))
}

async function finish(target: Target): Promise<number> {
  const startedAt = performance.now()
  while ((await countOpen(target)) > 0) {
    if (performance.now() - startedAt > FINISH_WITHIN_MS) throw new Error('The jobs do not end')
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  return performance.now() - startedAt
}

const quantile = (sorted: readonly number[], q: number): number =>
  Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0)

const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-jobs-'))
const simulator = await startSimulator({ latencyScale: 1, seed: 'jobs' })
const gateway = await startGateway({
  port: 0,
  direct: true,
  dir,
  quiet: true,
  env: {
    ANTHROPIC_BASE_URL: simulator.url,
    ANTHROPIC_ACCOUNTS: JSON.stringify([
      { id: 'one', api_key: 'sk-ant-sim-one', max_concurrent: callers, min_concurrent: callers },
    ]),
  },
  onPartExit: (name) => {
    throw new Error(`${name} ended`)
  },
})
try {
  const { url, keys } = gateway.ready
  const people = { url, key: keys.enterprise }
  const worker = { url, key: keys.premium }
  await load(people, 5_000)
  const alone: number[] = []
  const beside: number[] = []
  for (let round = 1; round <= rounds; round += 1) {
    alone.push(...(await load(people, seconds * 1000)))
    const sending = sendJobs(worker)
    beside.push(...(await load(people, seconds * 1000)))
    await sending
    const left = await countOpen(worker)
    const finishedMs = await finish(worker)
    console.log(
      `round ${round}: ${jobs - left} of ${jobs} jobs ended beside the load, the last ${Math.round(finishedMs)} ms after it`,
    )
  }
  for (const [name, list] of [
    ['alone', alone],
    ['beside jobs', beside],
  ] as const) {
    const sorted = list.toSorted((a, b) => a - b)
    const [p50, p95, p99] = [0.5, 0.95, 0.99].map((q) => quantile(sorted, q))
    console.log(`${name}: ${sorted.length} calls, p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms`)
  }
} finally {
  await gateway.stop()
  await simulator.close()
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
}
