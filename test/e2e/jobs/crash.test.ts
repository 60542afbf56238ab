// kill -9 in the middle of work, and messages that come twice: nothing is lost, each job ends once, and each crash costs
// one call a running job at most. `SLUICE_TEST_CRASHES=10` for the long form, with 50 jobs.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { isAlive } from '../../../tools/dev/processes.ts'
import { startSimulator } from '../../../tools/simulator/server.ts'
import { eventually } from '../../support/eventually.ts'
import { type DevProcess, startDev } from '../../support/gateway-process.ts'
import { jobClient, type ShownJob } from '../../support/job-client.ts'

const CRASHES = Number(process.env['SLUICE_TEST_CRASHES'] ?? 1)
const JOBS = CRASHES === 1 ? 20 : 50
/** The moments of the crashes are another for each seed, and the same for one. */
const SEED = Number(process.env['SLUICE_TEST_SEED'] ?? 7)
const ENDED_WITHIN_MS = 90_000

const dir = mkdtempSync(join(tmpdir(), 'sluice-job-crash-'))
let dev: DevProcess | null = null
const told = new Map<string, Set<string>>()
const receiver = createServer((request, response) => {
  let text = ''
  request.on('data', (chunk: Buffer) => (text += chunk.toString()))
  request.on('end', () => {
    const { data } = JSON.parse(text) as { data: ShownJob }
    const ids = told.get(data.id) ?? new Set()
    told.set(data.id, ids.add(String(request.headers['webhook-id'])))
    response.writeHead(204).end()
  })
})

afterAll(async () => {
  await dev?.stop('SIGKILL')
  receiver.close()
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
})

test(
  `${JOBS} jobs and ${CRASHES} crashes: none is lost, each ends once and is told under one id`,
  { timeout: 60_000 + ENDED_WITHIN_MS + CRASHES * 15_000 },
  async () => {
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
    const hookUrl = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`
    const simulator = await startSimulator({ latencyScale: 0.2, seed: `crash ${SEED}` })
    const start = async (): Promise<DevProcess> => {
      dev = await startDev({
        dir,
        env: {
          ANTHROPIC_BASE_URL: simulator.url,
          SLUICE_WEBHOOK_ALLOW: hookUrl,
          SLUICE_WEBHOOK_SCHEDULE_SECONDS: '1,1,1,1,1',
          SLUICE_JOB_ATTEMPTS: '20',
          SLUICE_JOB_BACKOFF_SECONDS: '0',
          SLUICE_LEASE_TTL_MS: '3000',
          SLUICE_LEASE_RENEW_MS: '500',
          SLUICE_BREAKER_MIN_CALLS: '10000',
          SLUICE_BREAKER_CONSECUTIVE: '10000',
        },
      })
      return dev
    }
    try {
      let running = await start()
      const client = () => jobClient(running.ready.url, running.ready.keys.enterprise)
      const sent = await Promise.all(
        Array.from({ length: JOBS }, (_, n) =>
          client().send({
            prompt: `[sim:text=n${n}]`,
            tag: `c${n}`,
            // The same request comes twice: it is one job.
            headers: { 'idempotency-key': `c${n}` },
            fields: { webhook: { url: hookUrl } },
          }),
        ),
      )
      expect(sent.map(({ status }) => status)).toEqual(sent.map(() => 202))
      for (let crash = 0; crash < CRASHES; crash += 1) {
        // At a call's arrival, at another each time, and some way into it.
        const count = 1 + ((SEED * 13 + crash * 7) % 11)
        await simulator.journal.wait(
          { state: 'arrived', since: simulator.journal.list({}).at(-1)?.n ?? 0 },
          { count, timeoutMs: 4_000 },
        )
        await new Promise((resolve) => setTimeout(resolve, ((SEED + crash) * 37) % 150))
        const { pids } = running.ready
        for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
        await eventually(
          () => pids.some(isAlive),
          (alive) => !alive,
          { withinMs: 5_000 },
        )
        running = await start()
      }
      const ended: ShownJob[] = []
      for (const { body } of sent) ended.push(await client().ended(body.id, ENDED_WITHIN_MS))
      expect(ended.map(({ status }) => status)).toEqual(ended.map(() => 'succeeded'))
      const completed = simulator.journal.list({ outcome: 'completed' }).length
      process.stdout.write(
        `${JOBS} jobs, ${CRASHES} crashes: ${simulator.journal.list({}).length} calls, ${completed} to their end\n`,
      )
      // An answer that came in the moment of a crash is asked for again: of few crashes one may catch several.
      if (CRASHES >= 5) expect(completed).toBeLessThanOrEqual(JOBS + CRASHES)
      for (const [n, job] of ended.entries()) {
        expect(job.result?.content[0]?.text).toBe(`n${n}`)
        // One call more for each crash that it was running in.
        expect(simulator.journal.list({ tag: `c${n}` }).length).toBe(job.attempts)
        expect(job.attempts).toBeLessThanOrEqual(1 + CRASHES)
      }
      const again = await client().send({
        prompt: '[sim:text=n0]',
        tag: 'c0',
        headers: { 'idempotency-key': 'c0' },
        fields: { webhook: { url: hookUrl } },
      })
      expect(again.body).toEqual(sent[0]?.body)
      await eventually(
        () => told.size,
        (size) => size === JOBS,
        { withinMs: 20_000 },
      )
      expect([...told.values()].map(({ size }) => size)).toEqual(ended.map(() => 1))
    } finally {
      await simulator.close()
    }
  },
)
