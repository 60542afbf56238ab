// The gateway on Bun and on Deno. The streams that must live through a long silence begin first and are looked at
// last, so that nobody waits for them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeRuntime } from './cases.ts'
import { hasRuntime, killLeftovers, type RuntimeName } from './runtime-process.ts'
import { openSilence, type Silence } from './silence.ts'

const RUNTIMES: readonly RuntimeName[] = ['bun', 'deno']
const installed = RUNTIMES.filter(hasRuntime)
const silences = new Map<RuntimeName, Silence>()

for (const absent of RUNTIMES.filter((runtime) => !installed.includes(runtime))) {
  test.skip(`the gateway on ${absent} (skipped: it is not installed)`, () => {})
}

beforeAll(async () => {
  for (const runtime of installed) silences.set(runtime, await openSilence(runtime))
})
afterAll(async () => {
  for (const silence of silences.values()) await silence.close()
  killLeftovers()
})

describe.each(installed)('on %s', (runtime) => {
  describeRuntime(runtime)
})

test.each(installed)('%s keeps a stream open through a long silence', async (runtime) => {
  expect(await silences.get(runtime)?.lastEvent).toBe('message_stop')
})
