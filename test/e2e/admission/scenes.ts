// The worlds of the torture: settings that shorten time, an account for each scene, tenants of its own.
import { MODELS } from '../../../tools/simulator/models.ts'
import type { TestAccount } from '../../support/accounts.ts'
import { addTenant } from '../../support/tenants.ts'
import { startWorld, type World } from './world.ts'

export const COOLDOWN_MS = 600
export const PROBES = 1
export const KILLED_LEASE_TTL_MS = 6_000

/** Breakers stand by model class, so each scene has a class of its own. */
const classes = [...new Map(MODELS.map(({ modelClass, id }) => [modelClass, id])).values()]
const modelOf = (scene: number): string => classes[scene] ?? ''

export const SCENES = {
  mixed: { model: modelOf(0), accounts: ['mixa', 'mixb', 'mixc'], slots: 8 },
  cap: { model: modelOf(1), accounts: ['capped'], slots: 20 },
  cooldown: { model: modelOf(2), accounts: ['cooling'], slots: 50 },
  outage: { model: modelOf(3), accounts: ['downa', 'downb', 'downc'], slots: 8 },
  noisy: { model: modelOf(4), accounts: ['shared'], slots: 10 },
  killed: { model: modelOf(0), accounts: ['killed'], slots: 8 },
} as const

const accountsOf = (...names: readonly (keyof typeof SCENES)[]): TestAccount[] =>
  names.flatMap((name) => {
    const { accounts, model, slots } = SCENES[name]
    return accounts.map((id) => ({ id, models: [model], max_concurrent: slots }))
  })

const COMMON = {
  SLUICE_RETRY_BASE_MS: 20,
  SLUICE_RETRY_MAX_MS: 200,
  SLUICE_FIRST_BYTE_TIMEOUT_MS: 1_500,
  SLUICE_IDLE_TIMEOUT_MS: 1_000,
}

export const startScenes = (): Promise<World> =>
  startWorld({
    accounts: accountsOf('mixed', 'cap', 'cooldown', 'outage', 'noisy'),
    settings: {
      ...COMMON,
      SLUICE_BREAKER_CONSECUTIVE: 12,
      SLUICE_BREAKER_MIN_CALLS: 40,
      SLUICE_BREAKER_COOLDOWN_MS: COOLDOWN_MS,
      SLUICE_BREAKER_COOLDOWN_MAX_MS: 2 * COOLDOWN_MS,
      SLUICE_BREAKER_PROBES: PROBES,
      SLUICE_BREAKER_PROBE_TIMEOUT_MS: 2_000,
    },
  })

export const startKilledScene = (): Promise<World> =>
  startWorld({
    accounts: accountsOf('killed'),
    settings: {
      ...COMMON,
      SLUICE_LEASE_TTL_MS: KILLED_LEASE_TTL_MS,
      SLUICE_IDLE_TIMEOUT_MS: 60_000,
      SLUICE_QUEUE_WAIT_MS: 30_000,
    },
  })

export async function addTenants({ dir }: World, count: number): Promise<string[]> {
  const keys: string[] = []
  for (let tenant = 0; tenant < count; tenant += 1) keys.push((await addTenant(dir)).key)
  return keys
}
