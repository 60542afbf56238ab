// Request limits counted in this isolate alone: where no Redis is configured, for tests, and what the Redis
// adapter falls back on.
import { BoundedMap } from '../../core/limits/bounded-map.ts'
import {
  describeWindows,
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
import type { LimitDecision, RequestLimits } from '../../ports.ts'

const MOST_TENANTS = 10_000

export interface MemoryRequestLimitsOptions {
  readonly now: () => number
  readonly mostTenants?: number
}

export function memoryRequestLimits(options: MemoryRequestLimitsOptions): RequestLimits {
  const counts = createIsolateCounts(options)
  return {
    async take(caller) {
      const rules = windowRulesOf(caller.tier)
      return toDecision(rules, counts.take(caller.tenant, rules), false)
    },
    async refund(caller) {
      counts.refund(caller.tenant, windowRulesOf(caller.tier))
    },
    async peek(caller) {
      const rules = windowRulesOf(caller.tier)
      return describeWindows(rules, counts.peek(caller.tenant, rules))
    },
    async ping() {},
  }
}

export interface IsolateCounts {
  take(tenant: string, rules: readonly WindowRule[]): WindowsOutcome
  refund(tenant: string, rules: readonly WindowRule[]): void
  peek(tenant: string, rules: readonly WindowRule[]): WindowsOutcome
}

const NO_LIMIT: WindowsOutcome = { admitted: true, retryAfterMs: 0, usage: [] }

export function createIsolateCounts(options: MemoryRequestLimitsOptions): IsolateCounts {
  const { now, mostTenants = MOST_TENANTS } = options
  /** By window's length, since a tenant's tier may change. */
  const tenants = new BoundedMap<ReadonlyMap<number, WindowLog>>(mostTenants)
  const logsOf = (tenant: string, rules: readonly WindowRule[]) => {
    const logs = tenants.get(tenant)
    return rules.map((rule) => logs?.get(rule.windowMs) ?? [])
  }
  const keep = (tenant: string, rules: readonly WindowRule[], logs: readonly WindowLog[]) =>
    tenants.set(tenant, new Map(rules.map((rule, index) => [rule.windowMs, logs[index] ?? []])))
  return {
    take(tenant, rules) {
      if (rules.length === 0) return NO_LIMIT
      const { logs, outcome } = takeFromWindows(logsOf(tenant, rules), rules, now())
      keep(tenant, rules, logs)
      return outcome
    },
    refund(tenant, rules) {
      if (tenants.get(tenant) === undefined) return
      keep(tenant, rules, refundToWindows(logsOf(tenant, rules), rules, now()))
    },
    peek: (tenant, rules) => peekWindows(logsOf(tenant, rules), rules, now()),
  }
}

export function toDecision(
  rules: readonly WindowRule[],
  outcome: WindowsOutcome,
  degraded: boolean,
): LimitDecision {
  const windows = describeWindows(rules, outcome)
  if (outcome.admitted) return { kind: 'allowed', windows, degraded }
  const { retryAfterMs } = outcome
  const refusedBy = refusingWindows(rules, outcome)
  return { kind: 'refused', windows, refusedBy, retryAfterMs, degraded }
}
