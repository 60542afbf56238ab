// Callers as tests need them: the premium tier of the contract, changed where it matters.
import type { Tier } from '../../src/core/money/tier.ts'
import type { Caller } from '../../src/ports.ts'

export function tierWith(changes: Partial<Tier>): Tier {
  return {
    name: 'premium',
    requestsPerMinute: 100,
    requestsPerHour: 10_000,
    maxConcurrent: 20,
    inputTokensPerMinute: 1_000_000,
    outputTokensPerMinute: 200_000,
    budgetUsdPerDay: 100,
    budgetUsdPerMonth: null,
    lane: 'normal',
    onOverload: 'wait',
    downgradeTo: null,
    maxWaitMs: null,
    ...changes,
  }
}

export function callerWith(tier: Partial<Tier>, changes: Partial<Caller> = {}): Caller {
  return {
    tenant: 'acme',
    keyId: 'acmeacmeac',
    tier: tierWith(tier),
    models: null,
    origins: null,
    limitsFail: 'count',
    ips: null,
    autoPromptCache: 'sessions',
    ...changes,
  }
}
