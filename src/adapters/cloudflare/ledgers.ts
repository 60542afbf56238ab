// The ledgers as Durable Objects, one a tenant. Translates calls and failures: a ledger that cannot be reached, or does
// not answer in time, is said to be unavailable; a bill is said again until it is kept.
import type { TenantLedger } from '../../../durable-objects/tenant-ledger.ts'
import { GatewayError } from '../../core/errors.ts'
import { BoundedMap } from '../../core/limits/bounded-map.ts'
import { hasPlenty } from '../../core/money/ledger/reserve.ts'
import type { LedgerSettlement } from '../../core/money/ledger/words.ts'
import type { Ledgers, LogLine, Waits } from '../../ports.ts'
import { separateWaits } from '../separate-waits.ts'
import { ToldTogether } from './told-together.ts'
import { UntoldBills } from './untold-bills.ts'

export type LedgerStub = DurableObjectStub<TenantLedger>
export type LedgerNamespace = Pick<DurableObjectNamespace<TenantLedger>, 'getByName'>

export interface LedgerOptions {
  readonly log: (line: LogLine) => void
}

// A ledger answers in milliseconds, or is ill.
const MARGIN_MS = 2_000
const SETTLE_DELAYS_MS = [50, 250, 1_000, 4_000]
// More than an isolate has under way; one that is forgotten tells its end at once.
const PATIENT_MOST = 10_000

interface Telling {
  readonly waits?: Waits
  /** Between one try and the next. */
  readonly delaysMs?: readonly number[]
}

export interface CloudflareLedgers extends Ledgers {
  /** What waits to be told goes at once: for who is about to read it. */
  flush(tenant: string): Promise<void>
}

export function cloudflareLedgers(
  namespace: LedgerNamespace,
  { log }: LedgerOptions,
): CloudflareLedgers {
  const untold = new UntoldBills(Date.now)
  const together = new ToldTogether<LedgerSettlement>(Date.now)
  /** Calls whose tenant has plenty of all that they will give back. */
  const patient = new BoundedMap<true>(PATIENT_MOST)

  // A stub belongs to the request that made it, and is broken for good after an exception: one for each call.
  const call = <T>(
    tenant: string,
    ask: (stub: LedgerStub) => Promise<T>,
    waits: Waits = separateWaits,
  ): Promise<T> => waits.within(MARGIN_MS, ask(namespace.getByName(tenant)))

  const tell = async (
    tenant: string,
    settlements: readonly LedgerSettlement[],
    { waits, delaysMs = SETTLE_DELAYS_MS }: Telling,
  ): Promise<void> => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await call(tenant, async (stub) => stub.settle(settlements), waits)
      } catch (error) {
        const delayMs = delaysMs[attempt]
        if (delayMs === undefined || flagOf(error, 'overloaded')) throw error
        await new Promise((resolve) => setTimeout(resolve, delayMs))
      }
    }
  }

  const tellAll = async (
    tenant: string,
    ended: readonly LedgerSettlement[],
    telling: Telling = {},
  ): Promise<void> => {
    const bills = untold.take(tenant, ended)
    if (bills.length === 0) return
    try {
      const settlements = bills.map(({ settlement }) => settlement)
      await tell(tenant, settlements, telling)
    } catch (error) {
      untold.keep(tenant, bills)
      throw error
    }
    // A single try: this is another tenant's time.
    const other = untold.due()
    if (other !== null) await tellAll(other, [], { ...telling, delaysMs: [] }).catch(() => {})
  }

  const flush = (tenant: string): Promise<void> =>
    together.flush(tenant, (ended) => tellAll(tenant, ended))

  return {
    async reserve(ask, waits) {
      const once = async () => call(ask.tenant, async (stub) => stub.reserve(ask), waits)
      try {
        const answer = await once().catch((error: unknown) => {
          if (!flagOf(error, 'retryable') || flagOf(error, 'overloaded')) throw error
          return once()
        })
        if (answer.kind === 'granted' && hasPlenty(ask, answer.left)) patient.set(ask.id, true)
        return answer
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

    async settle(tenant, settlement, waits = separateWaits) {
      const mayGather = patient.get(settlement.id) === true
      patient.delete(settlement.id)
      const tellThem = (ended: readonly LedgerSettlement[]) => tellAll(tenant, ended, { waits })
      await together.say(tenant, settlement, { tell: tellThem, waits, mayGather })
    },

    flush,

    async report(tenant, limits) {
      try {
        // Its caller may ask right after its calls.
        void flush(tenant).catch(() => {})
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
