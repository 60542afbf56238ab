// One line of the ledger: what a call used and what that costs.
import { costOf } from '../core/money/cost.ts'
import type { UsageRecord } from '../core/money/usage-record.ts'
import type { Usage } from '../core/answering/usage.ts'
import type { Call } from './call.ts'

export interface Spent {
  readonly usage: Usage
  /** The model that answered: Claude may fall back to another than was asked for. */
  readonly model: string | null
}

export function recordUsage(call: Omit<Call, 'tab'>, { usage, model }: Spent): UsageRecord {
  // A stream of the OpenAI-compatible route says nothing of its input unless asked to.
  const counted =
    usage.estimated && usage.inputTokens === 0
      ? { ...usage, inputTokens: call.estimatedInputTokens }
      : usage
  const cost = costOf(model ?? call.model, counted)
  return {
    requestId: call.scope.requestId,
    tenant: call.caller.tenant,
    key: call.caller.keyId,
    user: call.user,
    model: call.model,
    at: call.scope.startedAt,
    inputTokens: counted.inputTokens,
    outputTokens: counted.outputTokens,
    cacheWriteTokens: counted.cacheWrite5mTokens + counted.cacheWrite1hTokens,
    cacheReadTokens: counted.cacheReadTokens,
    costNanoUsd: cost.costNanoUsd,
    savedNanoUsd: cost.savedNanoUsd,
    estimated: counted.estimated || cost.estimated,
  }
}
