// The gates as Durable Objects, one an account. Translates calls and failures: a gate that cannot be reached, or
// does not answer in time, is a refusal; a settlement is said again until it is kept. It remembers what it was
// told of each lease, since a gate that restarted learns from the holders what its former self had given out.
import type {
  Admission,
  AdmissionAsk,
  LeaseWitness,
  Settlement,
} from '../../core/admission/admission.ts'
import type { SettleEvent } from '../../core/admission/gate.ts'
import type { Account } from '../../core/answering/account.ts'
import type { AccountGates, GateUnavailable, LeaseStanding, Waits } from '../../ports.ts'
import { separateWaits } from '../separate-waits.ts'
import { OwedSettlements } from './owed-settlements.ts'
import { ToldTogether } from './told-together.ts'
import { gateStub, type GateNamespace, type GateStub } from './gate-stub.ts'

export type { GateNamespace }

// What a call to a gate may take beyond the wait that was asked for: a gate answers in milliseconds, or is ill.
const MARGIN_MS = 2_000
// A holder whose lease was over for so long will not come back to settle it.
const LOST_AFTER_MS = 600_000
const SETTLE_DELAYS_MS = [50, 250, 1_000, 4_000]

interface Held {
  witness: LeaseWitness
  /** The renewal that is under way. */
  renewing: Promise<unknown> | null
  /** Its gate has slots enough not to wait for this one. */
  readonly plenty: boolean
}

export function cloudflareAccountGates(
  namespace: GateNamespace,
): AccountGates & { stubOf(account: Account): GateStub } {
  const held = new Map<string, Held>()
  const owed = new OwedSettlements()
  const together = new ToldTogether<SettleEvent>(Date.now)

  const stubOf = (account: Account): GateStub => gateStub(namespace, account)

  const call = <T>(
    account: Account,
    ask: (stub: GateStub) => Promise<T>,
    { timeoutMs = MARGIN_MS, waits = separateWaits }: { timeoutMs?: number; waits?: Waits } = {},
  ): Promise<T> => waits.within(timeoutMs, ask(stubOf(account)))

  /** Behind settlements that the gate took: as many that it was too loaded to take before. */
  const payOwed = async (account: Account, most: number, waits: Waits): Promise<void> => {
    const late = owed.take(account.id, most)
    if (late.length === 0) return
    // Its slot may be someone else's by now, so the holder's word proves nothing.
    const ends = late.map(unproven)
    await call(account, async (stub) => stub.settle(ends), { waits }).catch((error: unknown) => {
      if (isOverloaded(error)) for (const each of late) owed.keep(account.id, each)
    })
  }

  const tell = async (
    account: Account,
    ended: readonly SettleEvent[],
    waits: Waits,
  ): Promise<void> => {
    let ends = ended
    for (let attempt = 0; ; attempt++) {
      try {
        const said = ends
        await call(account, async (stub) => stub.settle(said), { waits })
        return await payOwed(account, ends.length, waits)
      } catch (error) {
        const delayMs = SETTLE_DELAYS_MS[attempt]
        if (isOverloaded(error)) {
          for (const { settlement } of ends) owed.keep(account.id, settlement)
        }
        if (delayMs === undefined || isOverloaded(error)) throw error
        // The first try may have arrived: a slot may already be someone else's.
        ends = ended.map(({ settlement }) => unproven(settlement))
        await sleep(delayMs)
      }
    }
  }

  const remember = (ask: AdmissionAsk, admission: Admission): void => {
    if (admission.kind !== 'admitted') return
    const { id, epoch, expiresAt } = admission.lease
    const { tenant, lane, modelClass } = ask
    const since = Date.now()
    const witness = { epoch, heldUntil: expiresAt, certain: true, tenant, lane, modelClass, since }
    held.set(id, { witness, renewing: null, plenty: admission.plenty === true })
    forgetLost(held, since)
  }

  return {
    stubOf,

    async admit(account, ask, waits = separateWaits): Promise<Admission | GateUnavailable> {
      const bound = { timeoutMs: ask.maxWaitMs + MARGIN_MS, waits }
      const admitOnce = (): Promise<Admission> =>
        call(account, async (stub) => stub.admit(ask), bound)
      try {
        // The same ticket again: a gate that has already granted it says so again.
        const admission = await admitOnce().catch((error: unknown) => {
          if (!isRetryable(error)) throw error
          return admitOnce()
        })
        remember(ask, admission)
        return admission
      } catch (error) {
        // Its answer may still come: whatever it grants then is given back. An overloaded gate took nothing in.
        if (!isOverloaded(error))
          void call(account, async (stub) => stub.cancel(ask.ticket)).catch(() => {})
        return { kind: 'unavailable' }
      }
    },

    async cancel(account, ticket) {
      held.delete(ticket)
      // Lost at worst: the lease then ends by its expiry.
      await call(account, async (stub) => stub.cancel(ticket)).catch(() => {})
    },

    async renew(account, lease, progress) {
      const own = held.get(lease.id)
      const witness = own?.witness ?? null
      const renewal = { leaseId: lease.id, witness, ...progress }
      const renewing = call(account, async (stub) => stub.renew(renewal)).then(
        (renewed): LeaseStanding => {
          if (renewed === null) return { kind: 'over' }
          const { epoch, expiresAt } = renewed
          if (own !== undefined) own.witness = { ...own.witness, epoch, heldUntil: expiresAt }
          return { kind: 'held', until: expiresAt }
        },
        (): LeaseStanding => {
          if (own !== undefined) own.witness = { ...own.witness, certain: false }
          return { kind: 'unknown' }
        },
      )
      if (own !== undefined) own.renewing = renewing
      return renewing
    },

    async placeOf(account, ticket) {
      return call(account, async (stub) => stub.placeOf(ticket)).catch(() => null)
    },

    async observe(account, reading) {
      // Lost at worst: this account then finds out by a 429 of its own.
      await call(account, async (stub) => stub.observe(reading)).catch(() => {})
    },

    async isUsable(account) {
      return call(account, async (stub) => stub.isUsable())
    },

    async settle(account, settlement, waits = separateWaits) {
      const own = held.get(settlement.leaseId)
      held.delete(settlement.leaseId)
      // A renewal that overtook its settlement would count the lease again.
      await own?.renewing
      const end = { settlement, witness: own?.witness ?? null }
      await together.say(account.id, end, {
        tell: (ends) => tell(account, ends, waits),
        waits,
        // What went wrong is news for the gate: it is told at once.
        mayGather: own?.plenty === true && settlement.outcome.kind === 'served',
      })
    },
  }
}

const unproven = (settlement: Settlement): SettleEvent => ({ settlement, witness: null })

/** A holder that never settled has lost its lease long ago; its entry need not outlive it by much. */
const forgetLost = (held: Map<string, Held>, now: number): void => {
  for (const [id, { witness }] of held) {
    if (witness.heldUntil >= now - LOST_AFTER_MS) break
    held.delete(id)
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Said by the platform on the exceptions of a stub. */
const flagOf = (error: unknown, name: 'retryable' | 'overloaded'): boolean =>
  typeof error === 'object' && error !== null && Reflect.get(error, name) === true

const isOverloaded = (error: unknown): boolean => flagOf(error, 'overloaded')
const isRetryable = (error: unknown): boolean => flagOf(error, 'retryable') && !isOverloaded(error)
