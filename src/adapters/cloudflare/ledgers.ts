// The ledgers as Durable Objects, one a tenant. Translates calls and failures: a ledger that cannot be reached, or does
// not answer in time, is said to be unavailable; a bill is said again until it is kept, with the tenant's next bill at
// the latest.
import type { TenantLedger } from '../../../durable-objects/tenant-ledger.ts'
import { GatewayError } from '../../core/errors.ts'
import type { LedgerSettlement } from '../../core/money/ledger/words.ts'
import type { Ledgers, LogLine, Waits } from '../../ports.ts'
import { separateWaits } from '../separate-waits.ts'

export type LedgerStub = DurableObjectStub<TenantLedger>
export type LedgerNamespace = Pick<DurableObjectNamespace<TenantLedger>, 'getByName'>

export interface LedgerOptions {
  readonly log: (line: LogLine) => void
}

// A ledger answers in milliseconds, or is ill.
const MARGIN_MS = 2_000
const SETTLE_DELAYS_MS = [50, 250, 1_000, 4_000]
// Bills that could not be told, over all tenants of an isolate.
const UNTOLD_MOST = 10_000

export function cloudflareLedgers(namespace: LedgerNamespace, { log }: LedgerOptions): Ledgers {
  const untold = new Map<string, LedgerSettlement[]>()

  // A stub belongs to the request that made it, and is broken for good after an exception: one for each call.
  const call = <T>(
    tenant: string,
    ask: (stub: LedgerStub) => Promise<T>,
    waits: Waits = separateWaits,
  ): Promise<T> => waits.within(MARGIN_MS, ask(namespace.getByName(tenant)))

  const keepForLater = (tenant: string, settlements: readonly LedgerSettlement[]): void => {
    const kept = [...untold.values()].reduce((sum, each) => sum + each.length, 0)
    if (kept + settlements.length > UNTOLD_MOST) return
    untold.set(tenant, [...(untold.get(tenant) ?? []), ...settlements])
  }

  const tell = async (
    tenant: string,
    settlements: readonly LedgerSettlement[],
    waits: Waits | undefined,
  ): Promise<void> => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await call(tenant, async (stub) => stub.settle(settlements), waits)
      } catch (error) {
        const delayMs = SETTLE_DELAYS_MS[attempt]
        if (delayMs === undefined || flagOf(error, 'overloaded')) throw error
        await new Promise((resolve) => setTimeout(resolve, delayMs))
      }
    }
  }

  return {
    async reserve(ask, waits) {
      const once = async () => call(ask.tenant, async (stub) => stub.reserve(ask), waits)
      try {
        return await once().catch((error: unknown) => {
          if (!flagOf(error, 'retryable') || flagOf(error, 'overloaded')) throw error
          return once()
        })
      } catch (error) {
        log({ event: 'ledger_unavailable', tenant: ask.tenant, error: String(error) })
        return { kind: 'unavailable' }
      }
    },

    async renew(renewal) {
      try {
        return await call(renewal.ask.tenant, async (stub) => stub.renew(renewal))
      } catch {
        return { kind: 'unavailable' }
      }
    },

    async settle(tenant, settlement, waits) {
      const settlements = [...(untold.get(tenant) ?? []), settlement]
      untold.delete(tenant)
      try {
        await tell(tenant, settlements, waits)
      } catch (error) {
        keepForLater(tenant, settlements)
        throw error
      }
    },

    async report(tenant, limits) {
      try {
        return await call(tenant, async (stub) => stub.report(limits))
      } catch (cause) {
        throw unreachable(cause)
      }
    },
  }
}

export const unreachable = (cause: unknown): GatewayError =>
  new GatewayError('ledger_unavailable', "This tenant's ledger cannot be reached", { cause })

/** Said by the platform on the exceptions of a stub. */
const flagOf = (error: unknown, name: 'retryable' | 'overloaded'): boolean =>
  typeof error === 'object' && error !== null && Reflect.get(error, name) === true
