// The end of an attempt, said once: the account's lease comes home with what became of the call, and what it cost is
// put on the tenant's tab. Deferred, so that it delays no answer.
import type { Outcome, RateObservation, TokenCounts } from '../core/admission/admission.ts'
import type { UsageRecord } from '../core/money/usage-record.ts'
import type { Services } from '../ports.ts'
import { knowledgeOf } from './account-knowledge.ts'
import type { Held } from './ask-gate.ts'
import type { Call } from './call.ts'
import { shareOrganization } from './share-organization.ts'

export interface AttemptEnd {
  readonly outcome: Outcome
  readonly rate: RateObservation | null
  /** Whose limits these are; null: the answer does not say. */
  readonly organization: string | null
  readonly usage: UsageRecord | null
  /** True: we cut the connection, so Claude counts the call until it notices. */
  readonly severed: boolean
}

// What a closed connection takes to be noticed at the other end: given away at once, the slot's next call could arrive
// before it, one more than the account may have.
const NOTICED_AFTER_MS = 50

/** One line for each attempt: who, where, how it ended and what it cost; never what was said. */
function logEnd(services: Services, call: Call, held: Held, { outcome, usage }: AttemptEnd): void {
  services.log({
    event: 'attempt',
    request_id: call.scope.requestId,
    trace_id: call.scope.traceId,
    tenant: call.caller.tenant,
    key: call.caller.keyId,
    account: held.account.id,
    kind: call.kind,
    model: call.model,
    outcome: outcome.kind,
    cause: outcome.kind === 'failed' ? outcome.cause : null,
    queued_ms: Math.round(held.queuedMs),
    duration_ms: services.now() - call.scope.startedAt,
    input_tokens: usage?.inputTokens ?? null,
    output_tokens: usage?.outputTokens ?? null,
    cost_nano_usd: usage?.costNanoUsd ?? null,
  })
}

export function settleCall(services: Services, call: Call, held: Held, end: AttemptEnd): void {
  logEnd(services, call, held, end)
  if (end.usage !== null) call.tab?.add(end.usage)
  knowledgeOf(services).ended(held.lease.id)
  const { outcome, rate, usage } = end
  const { id: leaseId, epoch } = held.lease
  const organization = shareOrganization(services, call, held, end)
  const settlement = {
    leaseId,
    epoch,
    outcome,
    rate,
    tokens: countTokens(usage),
    ...(organization === undefined ? {} : { organization }),
  }
  const settle = (): Promise<void> =>
    services.gates.settle(held.account, settlement, call.scope.waits)
  const settled = (end.severed ? pause(NOTICED_AFTER_MS).then(settle) : settle()).catch(
    (error: unknown) =>
      services.log({
        event: 'settle_failed',
        request_id: call.scope.requestId,
        account: held.account.id,
        error: String(error),
      }),
  )
  call.scope.defer(settled)
}

/** What the account's own token buckets count. */
const countTokens = (usage: UsageRecord | null): TokenCounts | null =>
  usage && {
    uncachedInputTokens: usage.inputTokens + usage.cacheWriteTokens,
    outputTokens: usage.outputTokens,
  }

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
