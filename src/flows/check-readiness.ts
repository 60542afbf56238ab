// Whether the gateway can answer a call now: the stores answer, and at least one account may be used.
import type { Services } from '../ports.ts'

export interface PartState {
  readonly state: 'ok' | 'failing'
  readonly ms: number
}

export interface Readiness {
  readonly ready: boolean
  readonly redis: PartState
  readonly d1: PartState
  readonly accounts: Readonly<Record<string, PartState>>
}

/** A part that has not answered by then counts as failing, so that a probe never hangs. */
const PROBE_TIMEOUT_MS = 2_000

export async function checkReadiness(services: Services): Promise<Readiness> {
  const accounts = await services.accounts.usable()
  const [redis, d1, ...states] = await Promise.all([
    time(services, () => services.limits.ping()),
    time(services, () => services.keys.ping()),
    ...accounts.map((account) =>
      time(services, async () => {
        if (account.draining) throw new Error('The account is draining')
        if (!(await services.gates.isUsable(account))) throw new Error('The account is not usable')
      }),
    ),
  ])
  const byId = Object.fromEntries(
    accounts.map((account, index) => [account.id, states[index] ?? failing]),
  )
  const usable = states.some((state) => state.state === 'ok')
  return { ready: redis.state === 'ok' && d1.state === 'ok' && usable, redis, d1, accounts: byId }
}

const failing: PartState = { state: 'failing', ms: 0 }

async function time(services: Services, probe: () => Promise<void>): Promise<PartState> {
  const startedAt = services.now()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('The probe took too long')), PROBE_TIMEOUT_MS)
  })
  const state = await Promise.race([probe(), late]).then(
    () => 'ok' as const,
    () => 'failing' as const,
  )
  clearTimeout(timer)
  return { state, ms: services.now() - startedAt }
}
