// A tier's request limits as windows, and what a caller is told of them.
import type { Tier } from '../money/tier.ts'
import type { WindowName, WindowRule, WindowsOutcome } from './sliding-window.ts'

export interface DescribedWindow {
  readonly name: WindowName
  readonly limit: number
  readonly remaining: number
  readonly windowSeconds: number
  readonly resetSeconds: number
}

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

/** Limits that know no tenant; null: there is none. */
export interface AroundLimits {
  /** Of one address: an IPv4 address, or an IPv6 network of 64 bits. */
  readonly addressPerMinute: number | null
  readonly deploymentPerMinute: number | null
}

export const NOTHING_AROUND: AroundLimits = { addressPerMinute: null, deploymentPerMinute: null }

/** Those that a request from there is held to besides its tenant's. */
export function aroundRulesOf(limits: AroundLimits, counter: string | null): WindowRule[] {
  const { addressPerMinute: perAddress, deploymentPerMinute: perDeployment } = limits
  const rules: WindowRule[] = []
  if (perAddress !== null && counter !== null) {
    rules.push({ name: 'address', limit: perAddress, windowMs: MINUTE_MS })
  }
  if (perDeployment !== null) {
    rules.push({ name: 'deployment', limit: perDeployment, windowMs: MINUTE_MS })
  }
  return rules
}

export const isTenantWindow = ({ name }: { readonly name: WindowName }): boolean =>
  name === 'minute' || name === 'hour'

/** None where the tier is unlimited. */
export function windowRulesOf(tier: Tier): WindowRule[] {
  const { requestsPerMinute: perMinute, requestsPerHour: perHour } = tier
  const rules: WindowRule[] = []
  if (perMinute !== null) rules.push({ name: 'minute', limit: perMinute, windowMs: MINUTE_MS })
  if (perHour !== null) rules.push({ name: 'hour', limit: perHour, windowMs: HOUR_MS })
  return rules
}

export function describeWindows(
  rules: readonly WindowRule[],
  outcome: WindowsOutcome,
): DescribedWindow[] {
  return rules.map(({ name, limit, windowMs }, index) => {
    const { used, resetMs } = outcome.usage[index] ?? { used: 0, resetMs: 0 }
    return {
      name,
      limit,
      remaining: Math.max(0, limit - used),
      windowSeconds: windowMs / 1_000,
      resetSeconds: Math.ceil(resetMs / 1_000),
    }
  })
}

/** Of a refusal: the windows without room for one more. */
export function refusingWindows(
  rules: readonly WindowRule[],
  outcome: WindowsOutcome,
): WindowName[] {
  return rules
    .filter((rule, index) => (outcome.usage[index]?.used ?? 0) >= rule.limit)
    .map((rule) => rule.name)
}
