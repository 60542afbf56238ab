// Request limits counted in Redis for all isolates together: one command a request. When Redis is slow, wrong,
// refusing or down, each isolate counts by itself, or does what the tenant chose.
import { BoundedMap } from '../../core/limits/bounded-map.ts'
import { addressCounter } from '../../core/limits/address-counter.ts'
import {
  type AroundLimits,
  describeWindows,
  isTenantWindow,
  NOTHING_AROUND,
  refusingWindows,
  windowRulesOf,
} from '../../core/limits/request-windows.ts'
import type { WindowRule, WindowsOutcome } from '../../core/limits/sliding-window.ts'
import { askStore, healthy, storeAnswered, storeFailed } from '../../core/limits/store-health.ts'
import type { Caller, LimitDecision, LogLine, RequestLimits, Waits } from '../../ports.ts'
import {
  countedFor,
  type CountSubject,
  createIsolateCounts,
  memoryRequestLimits,
  toDecision,
  toRefusal,
} from '../memory/request-limits.ts'
import { separateWaits } from '../separate-waits.ts'
import { type CommandOptions, openCommands, type RunCommand } from './commands.ts'
import { countInRedis, type WindowsCall } from './windows-limiter.ts'

export interface UpstashRequestLimitsOptions {
  /** Null: every isolate counts by itself, and that is no failure. */
  readonly redis: CommandOptions | null
  readonly around?: AroundLimits
  /** Asks the same store, together with what else it is asked at the same moment. */
  readonly together?: RunCommand
  readonly now: () => number
  readonly log?: (line: LogLine) => void
}

/** A refusal is repeated for so long without asking: a refund elsewhere is seen no later than that. */
const REPEAT_REFUSAL_MS = 1_000
const MOST_REFUSALS = 1_000
/** What a tenant is told whose limits must not be guessed. */
const CLOSED_RETRY_AFTER_MS = 1_000

export function upstashRequestLimits(options: UpstashRequestLimitsOptions): RequestLimits {
  const { now, around = NOTHING_AROUND } = options
  if (options.redis === null) return memoryRequestLimits({ now, around })
  const run = openCommands(options.redis)
  const count = createGuardedCount(run, options)
  const local = createIsolateCounts({ now })
  const refusals = new BoundedMap<Refusal>(MOST_REFUSALS)
  return {
    async take(caller, waits, asked) {
      const { subject, rules } = countedFor(caller, around)
      if (rules.length === 0) return { kind: 'allowed', windows: [], degraded: false }
      const at = now()
      const repeated = repeatRefusal(refusals.get(tenantName(subject)), rules, at)
      if (repeated !== null) return toDecision(rules, repeated, false)
      const by = asked?.together === true ? options.together : undefined
      // Counted here before Redis is asked: should it fail within a burst, what it has let in is not forgotten.
      const own = local.take(subject, rules)
      const outcome = await count({ ...subject, rules, now: at, amount: 1 }, waits, by)
      if (outcome === null) {
        return degrade(caller, rules, (held) => {
          if (held.length === rules.length) return own
          if (own.admitted) local.refund(subject, rules)
          return local.take(subject, held)
        })
      }
      if (!outcome.admitted) {
        if (own.admitted) local.refund(subject, rules)
        const name = refusedName(subject, rules, outcome)
        const isOwn = name === tenantName(subject)
        const refusal = { rules, outcome, at }
        if (name !== null) refusals.set(name, isOwn ? refusal : withoutTenant(refusal))
      }
      return toDecision(rules, outcome, false)
    },
    async refund(caller, waits) {
      const { subject, rules } = countedFor(caller, around)
      if (rules.length === 0) return
      for (const name of [tenantName(subject), addressName(subject.address), DEPLOYMENT_NAME]) {
        refusals.delete(name)
      }
      local.refund(subject, rules)
      await count({ ...subject, rules, now: now(), amount: -1 }, waits)
    },
    async peek(caller, waits) {
      const rules = windowRulesOf(caller.tier)
      if (rules.length === 0) return []
      const outcome = await count({ tenant: caller.tenant, rules, now: now(), amount: 0 }, waits)
      return outcome === null ? [] : describeWindows(rules, outcome)
    },
    recall(address) {
      for (const name of [addressName(addressCounter(address)), DEPLOYMENT_NAME]) {
        const refusal = refusals.get(name)
        if (refusal === undefined) continue
        const repeated = repeatRefusal(refusal, refusal.rules, now())
        if (repeated !== null) return toRefusal(refusal.rules, repeated, false)
      }
      return null
    },
    async ping() {
      await run(['PING'], separateWaits)
    },
  }
}

const tenantName = ({ tenant }: CountSubject): string => `tenant ${tenant}`
const addressName = (counter: string | null): string => `address ${counter}`
const DEPLOYMENT_NAME = 'deployment'

/** Whom a refusal concerns, so that it is repeated to nobody else; null where several limits refused at once. */
function refusedName(
  subject: CountSubject,
  rules: readonly WindowRule[],
  outcome: WindowsOutcome,
): string | null {
  const refusing = rules.filter((rule) => refusingWindows(rules, outcome).includes(rule.name))
  if (refusing.every(isTenantWindow)) return tenantName(subject)
  if (refusing.length > 1) return null
  return refusing[0]?.name === 'address' ? addressName(subject.address) : DEPLOYMENT_NAME
}

/** Null: Redis was not asked, or what it said is worth nothing. */
type GuardedCount = (
  call: WindowsCall,
  waits?: Waits,
  by?: RunCommand,
) => Promise<WindowsOutcome | null>

function createGuardedCount(run: RunCommand, options: UpstashRequestLimitsOptions): GuardedCount {
  let health = healthy
  const change = (next: typeof health, event: string) => {
    if ((next.rest === null) !== (health.rest === null)) options.log?.({ event })
    health = next
  }
  return async (call, waits = separateWaits, by = run) => {
    const permit = askStore(health, options.now())
    health = permit.health
    if (permit.epoch === null) return null
    try {
      const outcome = await countInRedis((command) => by(command, waits), call)
      change(storeAnswered(health, permit.epoch), 'request_limits_recovered')
      return outcome
    } catch {
      change(storeFailed(health, permit.epoch, options.now()), 'request_limits_degraded')
      return null
    }
  }
}

function degrade(
  caller: Caller,
  rules: readonly WindowRule[],
  takeLocally: (rules: readonly WindowRule[]) => WindowsOutcome,
): LimitDecision {
  const own = rules.filter(isTenantWindow)
  if (caller.limitsFail === 'closed' && own.length > 0) {
    return {
      kind: 'refused',
      windows: [],
      refusedBy: own.map((rule) => rule.name),
      retryAfterMs: CLOSED_RETRY_AFTER_MS,
      degraded: true,
    }
  }
  // What a tenant chose is about its own limits; those around all tenants are counted here.
  const held = caller.limitsFail === 'open' ? rules.filter((rule) => !isTenantWindow(rule)) : rules
  return toDecision(held, takeLocally(held), true)
}

interface Refusal {
  readonly rules: readonly WindowRule[]
  readonly outcome: WindowsOutcome
  readonly at: number
}

/** As others may be told of it. */
function withoutTenant({ rules, outcome, at }: Refusal): Refusal {
  const isAround = (index: number) => rules[index] !== undefined && !isTenantWindow(rules[index])
  return {
    rules: rules.filter((_, index) => isAround(index)),
    outcome: { ...outcome, usage: outcome.usage.filter((_, index) => isAround(index)) },
    at,
  }
}

/** The same refusal, older: only time can have changed it, and not yet. */
function repeatRefusal(
  refusal: Refusal | undefined,
  rules: readonly WindowRule[],
  now: number,
): WindowsOutcome | null {
  if (refusal === undefined) return null
  const ageMs = now - refusal.at
  const { retryAfterMs, usage } = refusal.outcome
  if (ageMs < 0 || ageMs >= Math.min(REPEAT_REFUSAL_MS, retryAfterMs)) return null
  const isSame = rules.every((rule, index) => rule.limit === refusal.rules[index]?.limit)
  if (!isSame || rules.length !== refusal.rules.length) return null
  return {
    admitted: false,
    retryAfterMs: retryAfterMs - ageMs,
    usage: usage.map(({ used, resetMs }) => ({ used, resetMs: Math.max(0, resetMs - ageMs) })),
  }
}
