// An operator's calls to the gates' Durable Objects. They are rare: no call is made twice, and a failure is said.
import { GatewayError } from '../../core/errors.ts'
import { snapshotContext } from '../../core/admission/snapshot.ts'
import type { GatedAccount, GateOperations } from '../../ports.ts'
import { separateWaits } from '../separate-waits.ts'
import { gateStub, type GateNamespace, type GateStub } from './gate-stub.ts'

const TIMEOUT_MS = 5_000

export function cloudflareGateOperations(namespace: GateNamespace): GateOperations {
  const call = async <T>(
    account: GatedAccount,
    ask: (stub: GateStub) => Promise<T>,
  ): Promise<T> => {
    try {
      return await separateWaits.within(TIMEOUT_MS, ask(gateStub(namespace, account)))
    } catch (cause) {
      throw new GatewayError(
        'gate_unavailable',
        `The gate of account ${account.id} cannot be reached`,
        { cause },
      )
    }
  }
  return {
    snapshot: (account) => call(account, async (stub) => stub.snapshot(snapshotContext(account))),
    timeline: (account, { limit, before }) =>
      call(account, async (stub) => {
        const entries = await stub.timeline(limit, before ?? undefined)
        return entries.toReversed()
      }),
    operate: (account, operation) => call(account, async (stub) => stub[operation]()),
    retire: (account) => call(account, async (stub) => stub.retire()),
  }
}
