// The gateway as it is deployed, with one thing added: it counts the calls that reach its objects, and tells.
import sluice from '../../src/index.ts'
import { AccountGate as Gate } from '../../durable-objects/account-gate.ts'
import { TenantLedger as Ledger } from '../../durable-objects/tenant-ledger.ts'
import type { AdmissionAsk } from '../../src/core/admission/admission.ts'
import type { SettleEvent } from '../../src/core/admission/gate.ts'
import type { LedgerAsk, LedgerSettlement } from '../../src/core/money/ledger/words.ts'

const calls = { admit: 0, settle: 0, reserve: 0, bill: 0 }

export class AccountGate extends Gate {
  override admit(ask: AdmissionAsk) {
    calls.admit += 1
    return super.admit(ask)
  }

  override settle(ends: readonly SettleEvent[]) {
    calls.settle += 1
    return super.settle(ends)
  }
}

export class TenantLedger extends Ledger {
  override reserve(ask: LedgerAsk) {
    calls.reserve += 1
    return super.reserve(ask)
  }

  override settle(settlements: readonly LedgerSettlement[]) {
    calls.bill += 1
    return super.settle(settlements)
  }
}

export default {
  fetch: (request, env, context) => {
    if (request.url.endsWith('/__bench/calls')) return Response.json(calls)
    return sluice.fetch(request, env, context)
  },
} satisfies ExportedHandler<Env>
