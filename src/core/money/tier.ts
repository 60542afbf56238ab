// A tier is a named set of limits (the contract, section 5); null is unlimited.
import type { Lane } from '../admission/admission.ts'

export type OverloadPolicy = 'reject' | 'wait' | 'queue' | 'downgrade'

export interface Tier {
  readonly name: string
  readonly requestsPerMinute: number | null
  readonly requestsPerHour: number | null
  readonly maxConcurrent: number | null
  readonly inputTokensPerMinute: number | null
  readonly outputTokensPerMinute: number | null
  readonly budgetUsdPerDay: number | null
  readonly budgetUsdPerMonth: number | null
  readonly lane: Lane
  readonly onOverload: OverloadPolicy
  readonly downgradeTo: string | null
  readonly maxWaitMs: number | null
}
