// Request limits counted in this isolate alone: where no Redis is configured, for tests, and what the Redis
// adapter falls back on.
import { BoundedMap } from '../../core/limits/bounded-map.ts'
import { addressCounter } from '../../core/limits/address-counter.ts'
import {
  type AroundLimits,
  aroundRulesOf,
  describeWindows,
  NOTHING_AROUND,
  refusingWindows,
  windowRulesOf,
} from '../../core/limits/request-windows.ts'
import {
  peekWindows,
  refundToWindows,
  takeFromWindows,
  type WindowLog,
  type WindowRule,
  type WindowsOutcome,
} from '../../core/limits/sliding-window.ts'
import type { Caller, LimitDecision, LimitRefusal, RequestLimits } from '../../ports.ts'

const MOST_TENANTS = 10_000
const MOST_ADDRESSES = 10_000

export interface MemoryRequestLimitsOptions {
  readonly now: () => number
  readonly around?: AroundLimits
  readonly mostTenants?: number
}

export function memoryRequestLimits(options: MemoryRequestLimitsOptions): RequestLimits {
  const counts = createIsolateCounts(options)
  const around = options.around ?? NOTHING_AROUND
  return {
    async take(caller) {
      const { subject, rules } = countedFor(caller, around)
      return toDecision(rules, counts.take(subject, rules), false)
    },
    async refund(caller) {
      const { subject, rules } = countedFor(caller, around)
      counts.refund(subject, rules)
    },
    async peek(caller) {
      const rules = windowRulesOf(caller.tier)
      return describeWindows(rules, counts.peek(countedFor(caller, around).subject, rules))
    },
    recall(address) {
      const counter = addressCounter(address)
      const rules = aroundRulesOf(around, counter)
      if (rules.length === 0) return null
      const outcome = counts.probe({ tenant: '', address: counter }, rules)
      return outcome.admitted ? null : toRefusal(rules, outcome, false)
    },
    async ping() {},
  }
}

/** Whom a request is counted for. */
export interface CountSubject {
  readonly tenant: string
  readonly address: string | null
}

export function countedFor({ tenant, tier, address }: Caller, around: AroundLimits) {
  const counter = addressCounter(address ?? null)
  return {
    subject: { tenant, address: counter },
    rules: [...windowRulesOf(tier), ...aroundRulesOf(around, counter)],
  }
}

export interface IsolateCounts {
  take(subject: CountSubject, rules: readonly WindowRule[]): WindowsOutcome
  refund(subject: CountSubject, rules: readonly WindowRule[]): void
  peek(subject: CountSubject, rules: readonly WindowRule[]): WindowsOutcome
  /** What would become of a request, without counting it. */
  probe(subject: CountSubject, rules: readonly WindowRule[]): WindowsOutcome
}

const NO_LIMIT: WindowsOutcome = { admitted: true, retryAfterMs: 0, usage: [] }

type Logs = Map<number, WindowLog>

export function createIsolateCounts(options: MemoryRequestLimitsOptions): IsolateCounts {
  const { now, mostTenants = MOST_TENANTS } = options
  /** By window's length, since a tenant's tier may change. */
  const tenants = new BoundedMap<Logs>(mostTenants)
  const addresses = new BoundedMap<Logs>(MOST_ADDRESSES)
  const deployment: Logs = new Map()
  const placeOf = ({ name }: WindowRule, { tenant, address }: CountSubject): Logs => {
    if (name === 'deployment') return deployment
    return name === 'address' ? logsIn(addresses, address ?? '') : logsIn(tenants, tenant)
  }
  const logsOf = (subject: CountSubject, rules: readonly WindowRule[]) =>
    rules.map((rule) => placeOf(rule, subject).get(rule.windowMs) ?? [])
  const keep = (
    subject: CountSubject,
    rules: readonly WindowRule[],
    logs: readonly WindowLog[],
  ): void => {
    for (const [index, rule] of rules.entries()) {
      placeOf(rule, subject).set(rule.windowMs, logs[index] ?? [])
    }
  }
  return {
    take(subject, rules) {
      if (rules.length === 0) return NO_LIMIT
      const { logs, outcome } = takeFromWindows(logsOf(subject, rules), rules, now())
      keep(subject, rules, logs)
      return outcome
    },
    refund(subject, rules) {
      keep(subject, rules, refundToWindows(logsOf(subject, rules), rules, now()))
    },
    peek: (subject, rules) => peekWindows(logsOf(subject, rules), rules, now()),
    probe: (subject, rules) =>
      rules.length === 0 ? NO_LIMIT : takeFromWindows(logsOf(subject, rules), rules, now()).outcome,
  }
}

/** What was counted last is forgotten last. */
function logsIn(places: BoundedMap<Logs>, name: string): Logs {
  const logs = places.get(name) ?? new Map<number, WindowLog>()
  places.set(name, logs)
  return logs
}

export function toDecision(
  rules: readonly WindowRule[],
  outcome: WindowsOutcome,
  degraded: boolean,
): LimitDecision {
  if (!outcome.admitted) return toRefusal(rules, outcome, degraded)
  return { kind: 'allowed', windows: describeWindows(rules, outcome), degraded }
}

export const toRefusal = (
  rules: readonly WindowRule[],
  outcome: WindowsOutcome,
  degraded: boolean,
): LimitRefusal => ({
  kind: 'refused',
  windows: describeWindows(rules, outcome),
  refusedBy: refusingWindows(rules, outcome),
  retryAfterMs: outcome.retryAfterMs,
  degraded,
})
