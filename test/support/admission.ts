// Asks, settlements and settings for the tests of the gate.
import type {
  Admission,
  AdmissionAsk,
  Outcome,
  Settlement,
} from '../../src/core/admission/admission.ts'
import type { Moment } from '../../src/core/admission/breaker.ts'
import { newGate, type Gate, type Resolution } from '../../src/core/admission/gate-state.ts'
import { admit, settle } from '../../src/core/admission/gate.ts'
import type { GateSettings } from '../../src/core/admission/settings.ts'
import type { UsageRecord } from '../../src/core/money/usage-record.ts'

export const gateSettings = (changed: Partial<GateSettings> = {}): GateSettings => ({
  breakerWindowMs: 60_000,
  breakerMinCalls: 10,
  breakerFailureRatio: 0.5,
  breakerConsecutive: 5,
  breakerCooldownMs: 60_000,
  breakerCooldownMaxMs: 900_000,
  breakerProbes: 1,
  breakerProbeTimeoutMs: 30_000,
  breakerSuccesses: 2,
  leaseTtlMs: 60_000,
  leaseRenewMs: 20_000,
  queueWaitMs: 10_000,
  queueLength: 500,
  queuePerTenant: 50,
  retryBudgetRatio: 0.2,
  ...changed,
})

export const at = (now: number, random = 0): Moment => ({ now, random })

export interface AskChange extends Partial<Omit<AdmissionAsk, 'account'>> {
  readonly limit?: number
  readonly min?: number
  readonly draining?: boolean
}

export function ask(ticket: string, change: AskChange = {}): AdmissionAsk {
  const { limit = 2, min = 1, draining = false, ...rest } = change
  return {
    ticket,
    tenant: 't',
    lane: 'normal',
    modelClass: 'sonnet',
    estimatedInputTokens: 100,
    maxWaitMs: 0,
    account: { maxConcurrent: limit, minConcurrent: min, draining },
    ...rest,
  }
}

export const served: Outcome = { kind: 'served' }
export const failed: Outcome = { kind: 'failed', cause: 'overloaded' }
export const throttled: Outcome = { kind: 'throttled', retryAfterMs: null, rampLimited: false }
export const ignored: Outcome = { kind: 'ignored' }

export const settlement = (
  leaseId: string,
  outcome: Outcome = served,
  change: Partial<Settlement> = {},
): Settlement => ({ leaseId, epoch: 1, outcome, rate: null, ...change })

export const usageRecord = (requestId: string, change: Partial<UsageRecord> = {}): UsageRecord => ({
  requestId,
  tenant: 't',
  key: 'k',
  user: '',
  model: 'claude-sonnet-5',
  at: Date.UTC(2026, 10, 21, 12),
  inputTokens: 10,
  outputTokens: 20,
  cacheWriteTokens: 0,
  cacheReadTokens: 0,
  costNanoUsd: 220_000,
  savedNanoUsd: 0,
  estimated: false,
  ...change,
})

export const aGate = (changed: Partial<GateSettings> = {}): Gate =>
  newGate(gateSettings(changed), 1)

/** The answer to one ticket, or null where it waits. */
export const answerTo = (ticket: string, resolved: readonly Resolution[]): Admission | null =>
  resolved.find((each) => each.ticket === ticket)?.admission ?? null

/** What became of one call, in a word. */
export function word(admission: Admission | null): string {
  if (admission === null) return 'waits'
  return admission.kind === 'admitted' ? 'admitted' : admission.refusal.reason
}

export const asks = (gate: Gate, ticket: string, moment: Moment, change: AskChange = {}): string =>
  word(answerTo(ticket, admit(gate, ask(ticket, change), moment)))

/** One call from grant to settlement, at one moment. */
export function passes(
  gate: Gate,
  ticket: string,
  moment: Moment,
  call: AskChange & { readonly outcome: Outcome },
): string {
  const { outcome, ...change } = call
  const answer = asks(gate, ticket, moment, change)
  ends(gate, ticket, outcome, moment)
  return answer
}

export const ends = (gate: Gate, ticket: string, outcome: Outcome, moment: Moment): Resolution[] =>
  settle(gate, { settlement: settlement(ticket, outcome), witness: null }, moment)
