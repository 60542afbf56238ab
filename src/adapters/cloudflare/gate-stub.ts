// How a gate's Durable Object is called: found by its account's id, placed where the settings want it.
import type { AccountGate } from '../../../durable-objects/account-gate.ts'
import type { Account } from '../../core/answering/account.ts'

export type GateStub = DurableObjectStub<AccountGate>
export type GateNamespace = Pick<DurableObjectNamespace<AccountGate>, 'getByName'>

type Placed = Pick<Account, 'id' | 'locationHint'>

/** A stub belongs to the request that made it, and is broken for good after an exception: one for each call. */
export const gateStub = (namespace: GateNamespace, account: Placed): GateStub =>
  namespace.getByName(account.id, placement(account))

const placement = ({ locationHint }: Placed): DurableObjectNamespaceGetDurableObjectOptions =>
  locationHint === null
    ? {}
    : // The checks of the settings and of the admin plane keep it to the platform's list.
      { locationHint: locationHint as DurableObjectLocationHint }
