// A finished answer's usage outlives the gateway: kill -9 shortly after the answer loses nothing, and counts nothing
// twice.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { isAlive } from '../../../tools/dev/processes.ts'
import { startSimulator } from '../../../tools/simulator/server.ts'
import { claudeCall } from '../../support/claude-call.ts'
import { eventually } from '../../support/eventually.ts'
import { type DevProcess, startDev } from '../../support/gateway-process.ts'
import { send } from '../../support/raw-http.ts'

const CALLS = 12
/** Usage is settled after the answer, in one write for all that end close together. */
const SETTLED_WITHIN_MS = 1_000

const dir = mkdtempSync(join(tmpdir(), 'sluice-metering-'))
const running: DevProcess[] = []

afterAll(async () => {
  for (const dev of running) await dev.stop('SIGKILL')
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
})

interface Totals {
  readonly requests: number
  readonly input_tokens: number
  readonly output_tokens: number
}

async function usageAt({ ready }: DevProcess): Promise<Totals | undefined> {
  const answer = await send(ready.url, {
    path: '/v1/usage?group_by=model',
    headers: [['x-api-key', ready.keys.enterprise]],
  })
  return (JSON.parse(answer.body.toString()) as { data: Totals[] }).data[0]
}

async function startAgain(simulatorUrl: string): Promise<DevProcess> {
  const dev = await startDev({ dir, env: { ANTHROPIC_BASE_URL: simulatorUrl } })
  running.push(dev)
  return dev
}

it('killed after its answers were counted, it knows each of them once', async () => {
  const simulator = await startSimulator()
  try {
    const first = await startAgain(simulator.url)
    const { url, keys, pids } = first.ready
    const call = (stream: boolean) =>
      send(url, claudeCall({ key: keys.enterprise, fields: { stream } }))
    const answers = await Promise.all(Array.from({ length: CALLS }, (_, i) => call(i % 2 === 0)))
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: CALLS }, () => 200))
    const counted = await eventually(
      () => usageAt(first),
      (totals) => totals?.requests === CALLS,
      { withinMs: SETTLED_WITHIN_MS },
    )
    expect(counted?.requests).toBe(CALLS)
    await first.stop('SIGKILL')
    const left = await eventually(
      () => pids.filter(isAlive),
      (alive) => alive.length === 0,
      {
        withinMs: 3_000,
      },
    )
    expect(left).toEqual([])

    const second = await startAgain(simulator.url)
    expect(second.ready.keys).toEqual(keys)
    const after = await usageAt(second)
    expect(after).toEqual(counted)
    const [book] = (simulator.sim.usage.view() as { data: Totals[] }).data
    expect(after).toMatchObject({
      requests: book?.requests,
      input_tokens: book?.input_tokens,
      output_tokens: book?.output_tokens,
    })
  } finally {
    await simulator.close()
  }
})
