// The gateway as it is deployed, with one thing added: it counts the calls that reach its objects, and tells.
import sluice from '../../src/index.ts'
import { AccountGate as Gate } from '../../durable-objects/account-gate.ts'
export { TenantLedger } from '../../durable-objects/tenant-ledger.ts'
import type { AdmissionAsk, LeaseWitness, Settlement } from '../../src/core/admission/admission.ts'

const calls = { admit: 0, settle: 0 }

export class AccountGate extends Gate {
  override admit(ask: AdmissionAsk) {
    calls.admit += 1
    return super.admit(ask)
  }

  override settle(settlement: Settlement, witness: LeaseWitness | null) {
    calls.settle += 1
    return super.settle(settlement, witness)
  }
}

export default {
  fetch: (request, env, context) => {
    if (request.url.endsWith('/__bench/calls')) return Response.json(calls)
    return sluice.fetch(request, env, context)
  },
} satisfies ExportedHandler<Env>
