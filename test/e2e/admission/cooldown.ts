// Three hundred callers at the end of a cool-down, and an upstream that hangs: only the probes reach it.
import { eventually } from '../../support/eventually.ts'
import { call, countBy } from './callers.ts'
import { mostInFlight, type World } from './world.ts'

export interface CooldownOptions {
  readonly account: string
  readonly model: string
  readonly keys: readonly string[]
  readonly callers: number
  readonly cooldownMs: number
  readonly slots: number
}

export interface CooldownResult {
  /** Calls that reached Claude, and the most of them at a time. */
  readonly reached: number
  readonly most: number
  /** So many cool-downs could have ended while the callers came. */
  readonly cooldowns: number
  readonly told: Readonly<Record<string, number>>
  /** Refused callers that were not told when to come back. */
  readonly unexplained: number
}

export async function runCooldown(world: World, options: CooldownOptions): Promise<CooldownResult> {
  const { account, model, keys, callers, cooldownMs, slots } = options
  const { sim, journal } = world.simulator
  const rule = sim.rules.add({ match: { org: account }, fault: '529' })
  const fields = { model }
  const shut = await eventually(
    () => Promise.all(Array.from({ length: slots }, () => call(world, { fields }))),
    (answers) => answers.some(({ reason }) => reason === 'accounts_open'),
    { withinMs: 10_000, everyMs: 0 },
  )
  const opened = shut.some(({ reason }) => reason === 'accounts_open')
  if (!opened) throw new Error('The breaker did not open')
  const openedAt = performance.now()
  sim.rules.remove(String(rule['id']))
  const hanging = sim.rules.add({ match: { org: account }, fault: 'hang' })
  sim.gauge.resetMax()
  const since = journal.list().at(-1)?.n ?? 0
  // Jitter makes a cool-down up to a fifth longer: the callers come all along, and well past its end.
  const spreadMs = cooldownMs * 1.5
  const answers = await Promise.all(
    Array.from({ length: callers }, async (_, index) => {
      const dueMs = openedAt + (spreadMs * index) / callers - performance.now()
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs)))
      return call(world, { key: keys[index % keys.length] ?? '', fields })
    }),
  )
  sim.rules.remove(String(hanging['id']))
  const refused = answers.filter(({ reason }) => reason === 'accounts_open')
  return {
    reached: journal.list({ since, org: account }).length,
    most: mostInFlight(world, account),
    cooldowns: Math.ceil((performance.now() - openedAt) / cooldownMs),
    told: countBy(answers, ({ status, reason }) => `${status} ${reason ?? ''}`.trim()),
    unexplained: refused.filter(({ retryAfter }) => !(Number(retryAfter) >= 1)).length,
  }
}
