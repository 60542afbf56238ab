// The end of an attempt, said once: the lease comes home with what became of the call and what it cost. Deferred,
// so that it delays no answer; the gate acknowledges only what it has kept.
import type { Outcome, RateObservation } from '../core/admission/admission.ts'
import type { UsageRecord } from '../core/money/usage-record.ts'
import type { Services } from '../ports.ts'
import type { Held } from './admit-call.ts'
import type { Call } from './call.ts'

export interface AttemptEnd {
  readonly outcome: Outcome
  readonly rate: RateObservation | null
  readonly usage: UsageRecord | null
}

export function settleCall(services: Services, call: Call, held: Held, end: AttemptEnd): void {
  const settled = services.gates
    .settle(held.account, { leaseId: held.lease.id, epoch: held.lease.epoch, ...end })
    .catch((error: unknown) =>
      services.log({
        event: 'settle_failed',
        request_id: call.scope.requestId,
        account: held.account.id,
        // What is lost otherwise: an operator can bill it by hand.
        cost_nano_usd: end.usage?.costNanoUsd ?? 0,
        error: String(error),
      }),
    )
  call.scope.defer(settled)
}
