// kill -9 of the whole gateway while calls run: what had ended is billed to the token, what ran is billed once by what it
// told or by estimate, and the budget knows of both after the restart.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { isAlive } from '../../../tools/dev/processes.ts'
import { startSimulator } from '../../../tools/simulator/server.ts'
import { eventually } from '../../support/eventually.ts'
import { type DevProcess, startDev } from '../../support/gateway-process.ts'
import { addTenant } from '../../support/tenants.ts'
import { booksOf, costOf, makeCall, usedOf } from './books.ts'

const dir = mkdtempSync(join(tmpdir(), 'sluice-killed-'))
const running: DevProcess[] = []

afterAll(async () => {
  for (const dev of running) await dev.stop('SIGKILL')
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
})

const LEASE_MS = 2_000
const QUEUE_MS = 500

async function startAgain(simulatorUrl: string): Promise<DevProcess> {
  const env = {
    ANTHROPIC_BASE_URL: simulatorUrl,
    SLUICE_LEASE_TTL_MS: String(LEASE_MS),
    SLUICE_LEASE_RENEW_MS: '400',
    SLUICE_QUEUE_WAIT_MS: String(QUEUE_MS),
  }
  const dev = await startDev({ dir, env })
  running.push(dev)
  return dev
}

it('killed in the middle of calls, it bills each of them once, and the budget holds', async () => {
  const simulator = await startSimulator()
  try {
    const first = await startAgain(simulator.url)
    const { url, pids } = first.ready
    const budget = { budget_usd_per_day: 0.2, budget_usd_per_month: null }
    const { key } = await addTenant(dir, { tier: 'enterprise', overrides: budget })
    const ended = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        makeCall({ url }, key, { stream: index % 2 === 0, tokens: 20 + index }),
      ),
    )
    // Ten seconds long each, at this pace.
    const cut = Array.from({ length: 10 }, () =>
      makeCall({ url }, key, { stream: true, tokens: 5_000, maxTokens: 6_000 }).catch(() => null),
    )
    // Some have said how far they are: a renewal comes every 400 ms.
    await eventually(
      () => simulator.journal.list({ state: 'began' }).filter(({ tokens }) => tokens > 250).length,
      (count) => count === 10,
      { withinMs: 5_000 },
    )
    await first.stop('SIGKILL')
    expect(await Promise.all(cut)).toEqual(cut.map(() => null))
    const left = () => pids.filter(isAlive)
    expect(await eventually(left, ({ length }) => length === 0, { withinMs: 3_000 })).toEqual([])

    const second = await startAgain(simulator.url)
    const address = second.ready
    const books = await eventually(
      () => booksOf(address, key),
      ({ rows }) => rows.length === 20,
      { withinMs: LEASE_MS + QUEUE_MS + 3_000 },
    )
    expect(books.rows).toHaveLength(20)
    expect(books.rows.map(({ requests }) => requests)).toEqual(books.rows.map(() => 1))
    for (const call of ended) {
      const [entry] = await simulator.journal.wait({ tag: call.tag })
      if (entry === undefined) throw new Error('The simulator knows nothing of a call that ended')
      const { input, output } = usedOf(entry)
      expect(books.rows.find(({ user }) => user === call.user)).toMatchObject({
        input_tokens: input,
        output_tokens: output,
      })
    }
    const lost = books.rows.filter(({ user }) => ended.every((call) => call.user !== user))
    for (const row of lost) {
      // What they had told at least; what such calls use, where that is more.
      expect(row.output_tokens).toBeGreaterThan(100)
      expect(row.output_tokens).toBeLessThan(5_000)
    }
    const sum = books.rows.reduce(
      (total, { input_tokens: input, output_tokens: output }) => total + costOf(input, output),
      0,
    )
    expect(books.spentNanoUsd).toBe(sum)
  } finally {
    await simulator.close()
  }
})
