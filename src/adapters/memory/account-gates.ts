// The gates in this process, on the same core: for the doorways without Durable Objects, and for tests. Nothing
// outlives the process, as the leases end with it.
import type {
  Admission,
  AdmissionAsk,
  Lease,
  Renewal,
  Settlement,
} from '../../core/admission/admission.ts'
import type { Moment } from '../../core/admission/breaker.ts'
import { isUsable } from '../../core/admission/door.ts'
import { countInUse, newGate, type Gate, type Resolution } from '../../core/admission/gate-state.ts'
import { observe } from '../../core/admission/observe.ts'
import { placeOf } from '../../core/admission/wait-queue.ts'
import { admit, advance, cancel, nextWakeAt, renew, settle } from '../../core/admission/gate.ts'
import { closeByHand, openByHand, resetByHand } from '../../core/admission/operate.ts'
import { snapshotContext, snapshotGate, type GateSnapshot } from '../../core/admission/snapshot.ts'
import { pushBounded, type NumberedEntry } from '../../core/admission/timeline.ts'
import type { GateSettings } from '../../core/admission/settings.ts'
import type { Account } from '../../core/answering/account.ts'
import type {
  AccountGates,
  GatedAccount,
  GateOperations,
  LeaseStanding,
  TimelinePage,
} from '../../ports.ts'

export interface MemoryGateOptions {
  readonly now: () => number
  readonly random: () => number
  /** What happened to an account's doors and limits, as it happens. */
  readonly onEntry?: (account: string, entry: NumberedEntry) => void
}

export interface MemoryAccountGates extends AccountGates, GateOperations {
  /** The gate itself, for operators and tests. */
  gateOf(account: Account): Gate
  /** Ends the timers of all gates. */
  stop(): void
}

type Waiting = Map<string, PromiseWithResolvers<Admission>>

export function memoryAccountGates(
  settings: GateSettings,
  options: MemoryGateOptions,
): MemoryAccountGates {
  const hosts = new Map<string, GateHost>()
  const hostOf = ({ id }: Pick<Account, 'id'>): GateHost => {
    const host = hosts.get(id) ?? new GateHost(id, newGate(settings, 1), options)
    hosts.set(id, host)
    return host
  }
  return {
    async admit(account, ask) {
      return hostOf(account).admit(ask)
    },
    async cancel(account, ticket) {
      hostOf(account).decide((gate, at) => cancel(gate, ticket, at))
    },
    async renew(account, { id }, progress) {
      const renewal = { leaseId: id, witness: null, ...progress }
      return hostOf(account).renew(renewal)
    },
    async placeOf(account, ticket) {
      return placeOf(hostOf(account).gate.queue, ticket)
    },
    async observe(account, reading) {
      hostOf(account).decide((gate, at) => observe(gate, reading, at))
    },
    async isUsable(account) {
      return hostOf(account).isUsable()
    },
    async settle(account, settlement) {
      await hostOf(account).settle(settlement)
    },
    async snapshot(account) {
      return hostOf(account).snapshot(account)
    },
    async timeline(account, page) {
      return hostOf(account).readTimeline(page)
    },
    async operate(account, operation) {
      hostOf(account).decide(OPERATIONS[operation])
    },
    async retire(account) {
      const host = hostOf(account)
      if (!host.isIdle()) return false
      host.stop()
      return hosts.delete(account.id)
    },
    gateOf(account) {
      return hostOf(account).gate
    },
    stop() {
      for (const host of hosts.values()) host.stop()
    },
  }
}

class GateHost {
  readonly gate: Gate
  readonly #account: string
  readonly #options: MemoryGateOptions
  readonly #waiting: Waiting = new Map()
  readonly #timeline: NumberedEntry[] = []
  #entries = 0
  #timer: ReturnType<typeof setTimeout> | null = null

  constructor(account: string, gate: Gate, options: MemoryGateOptions) {
    this.#account = account
    this.gate = gate
    this.#options = options
  }

  admit(ask: AdmissionAsk): Admission | Promise<Admission> {
    const resolved = this.decide((gate, at) => admit(gate, ask, at))
    const own = resolved.find(({ ticket }) => ticket === ask.ticket)
    if (own !== undefined) return own.admission
    const waiting = this.#waiting.get(ask.ticket) ?? Promise.withResolvers<Admission>()
    this.#waiting.set(ask.ticket, waiting)
    this.#wake()
    return waiting.promise
  }

  async settle(settlement: Settlement): Promise<void> {
    this.decide((gate, at) => settle(gate, { settlement, witness: null }, at))
  }

  renew(renewal: Renewal): LeaseStanding {
    let lease: Lease | null = null
    this.decide((gate, at) => {
      const [renewed, resolved] = renew(gate, renewal, at)
      lease = renewed
      return resolved
    })
    return standingOf(lease)
  }

  isUsable(): boolean {
    this.decide(advance)
    return isUsable(this.gate, this.#options.now())
  }

  decide(event: (gate: Gate, at: Moment) => Resolution[]): Resolution[] {
    const { now, random } = this.#options
    const resolved = event(this.gate, { now: now(), random: random() })
    // There is nothing to survive this process; but an operator may ask what happened in it.
    for (const entry of this.gate.unsaved.transitions.splice(0)) {
      this.#entries += 1
      const numbered = { ...entry, seq: this.#entries }
      pushBounded(this.#timeline, numbered, TIMELINE_KEPT)
      this.#options.onEntry?.(this.#account, numbered)
    }
    for (const { ticket, admission } of resolved) {
      this.#waiting.get(ticket)?.resolve(admission)
      this.#waiting.delete(ticket)
    }
    this.#wake()
    return resolved
  }

  snapshot(account: GatedAccount): GateSnapshot {
    this.decide(advance)
    return snapshotGate(this.gate, snapshotContext(account), this.#options.now())
  }

  readTimeline({ limit, before }: TimelinePage): NumberedEntry[] {
    const older = this.#timeline.filter(({ seq }) => before === null || seq < before)
    return older.slice(-limit).toReversed()
  }

  isIdle(): boolean {
    this.decide(advance)
    return countInUse(this.gate) === 0 && this.#waiting.size === 0
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #wake(): void {
    this.stop()
    const now = this.#options.now()
    const next = nextWakeAt(this.gate, now)
    // Without waiters nobody is woken: time is caught up with at the next event.
    if (next === null || this.#waiting.size === 0) return
    this.#timer = setTimeout(() => this.decide(advance), Math.max(0, next - now))
  }
}

const standingOf = (lease: Lease | null): LeaseStanding =>
  lease === null ? { kind: 'over' } : { kind: 'held', until: lease.expiresAt }
/** As a Durable Object keeps them. */
const TIMELINE_KEPT = 1_000
const OPERATIONS = { open: openByHand, close: closeByHand, reset: resetByHand }
