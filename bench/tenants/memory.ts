// What an isolate's memory of keys weighs: the authenticator itself, filled to its bound and beyond.
import { randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { makeApiKey } from '../../src/core/keys/api-key.ts'
import { createAuthenticator } from '../../src/flows/authenticate.ts'
import { createTokenSeal } from '../../src/flows/seal-token.ts'
import { toStoredKey } from '../../src/adapters/sql/key-rows.ts'

const PEPPERS = ['p'.repeat(32)]

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const heapBytes = (): number => {
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

export interface MemoryRow {
  readonly asked: number
  readonly heapMb: number
}

/** After so many different keys were asked for. */
export async function measureMemory(steps: readonly number[]): Promise<MemoryRow[]> {
  const authenticate = createAuthenticator({
    // Each has a tenant and a tier of its own, as D1 gives them: nothing is shared.
    keys: {
      findKey: async (id) => toStoredKey(rowOf(id)),
      replaceHash: async () => {},
    },
    seal: createTokenSeal(PEPPERS),
    peppers: PEPPERS,
    cacheMs: 600_000,
    now: Date.now,
  })
  const rows: MemoryRow[] = []
  let asked = 0
  const ask = () => {
    asked += 1
    return authenticate(new Headers({ 'x-api-key': makeApiKey(randomBytes(64)).text }))
  }
  for (let i = 0; i < 500; i += 1) await ask()
  const before = heapBytes()
  asked = 0
  for (const step of steps) {
    while (asked < step) await ask()
    rows.push({ asked, heapMb: (heapBytes() - before) / 1024 / 1024 })
  }
  return rows
}

const rowOf = (id: string) => ({
  key_id: id,
  tenant_id: `tenant-${id}`,
  secret_hash: randomBytes(32).toString('hex'),
  expires_at: null,
  models: JSON.stringify(['claude-haiku-*', 'claude-sonnet-*']),
  origins: JSON.stringify([`https://${id.toLowerCase()}.example`]),
  ips: null,
  previous_hash: null,
  previous_expires_at: null,
  key_disabled: 0,
  tenant_disabled: 0,
  settings: '{}',
  overrides: '{}',
  name: 'premium',
  requests_per_minute: 100,
  requests_per_hour: 10_000,
  max_concurrent: 20,
  input_tokens_per_minute: 1_000_000,
  output_tokens_per_minute: 200_000,
  budget_usd_per_day: 100,
  budget_usd_per_month: null,
  lane: 'normal',
  on_overload: 'wait',
  downgrade_to: null,
  max_wait_ms: null,
})
