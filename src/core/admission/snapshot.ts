// A gate as an operator sees it: `GET /admin/v1/accounts/:id`, in exactly the contract's names (section 5).
import type { AccountLimits, Lane } from './admission.ts'
import { countInUse, type Gate } from './gate-state.ts'
import { readLimit } from './limit.ts'
import { levelAt, type Bucket, type RateState } from './rate.ts'
import { whyUnused } from './why-unused.ts'
import { countByLane } from './wait-queue.ts'

export type DoorState = 'closed' | 'open' | 'half_open'

export interface RateSnapshot {
  readonly limit: number
  readonly remaining: number
  readonly reset_at: string | null
}

export interface GateSnapshot {
  readonly id: string
  readonly state: DoorState
  readonly models: Readonly<
    Record<string, { readonly state: DoorState; readonly open_until: string | null }>
  >
  readonly epoch: number
  readonly limit: number
  readonly max_concurrent: number
  readonly in_use: number
  readonly waiting: Readonly<Record<Lane, number>>
  readonly waiting_by_tenant: Readonly<Record<string, number>>
  readonly leases: readonly {
    readonly id: string
    readonly tenant: string
    readonly lane: Lane
    readonly since: string
    readonly expires_at: string
  }[]
  readonly rate: {
    readonly requests: RateSnapshot | null
    readonly input_tokens: RateSnapshot | null
    readonly output_tokens: RateSnapshot | null
  }
  readonly retry_budget: number
  readonly draining: boolean
  readonly weight: number
  readonly last_errors: readonly {
    readonly at: string
    readonly model: string
    readonly cause: string
  }[]
  /** Why the next call would be turned away, and until when if that is known; null: it would be let in. */
  readonly unused: { readonly reason: string; readonly until: string | null } | null
  /** Why the account as a whole takes nothing: `manual`, `quarantined`, `parked`; null where it does. */
  readonly hold: string | null
  /** Whose limits these are, as its answers tell; null: none told it yet. */
  readonly organization: string | null
  /** Accounts of the same organization: they draw on one bucket, so together they take no more than one. */
  readonly shares_organization_with: readonly string[]
}

/** What the gate itself does not know. */
export interface SnapshotContext {
  readonly id: string
  readonly weight: number
  /** The account's present numbers: a gate that was never asked does not know them. */
  readonly account: AccountLimits
}

export const snapshotContext = (
  account: AccountLimits & Pick<SnapshotContext, 'id' | 'weight'>,
): SnapshotContext => {
  const { id, weight, maxConcurrent, minConcurrent, draining } = account
  return { id, weight, account: { maxConcurrent, minConcurrent, draining } }
}

const time = (at: number): string => new Date(at).toISOString()

export function snapshotGate(gate: Gate, about: SnapshotContext, now: number): GateSnapshot {
  const { account } = about
  return {
    id: about.id,
    state: accountState(gate),
    models: Object.fromEntries(
      [...gate.classes].map(([name, { breaker }]) => [
        name,
        {
          state: breaker.phase.kind,
          open_until: breaker.phase.kind === 'open' ? time(breaker.phase.until) : null,
        },
      ]),
    ),
    epoch: gate.epoch,
    limit: readLimit(gate.limit, account),
    max_concurrent: account.maxConcurrent,
    in_use: countInUse(gate),
    waiting: countByLane(gate.queue),
    waiting_by_tenant: Object.fromEntries(gate.queue.byTenant),
    leases: [...gate.leases.held.values()].map(({ id, tenant, lane, since, expiresAt }) => ({
      id,
      tenant,
      lane,
      since: time(since),
      expires_at: time(expiresAt),
    })),
    rate: rateSnapshot(gate, now),
    retry_budget: Math.round(gate.retryBalance * 10) / 10,
    draining: account.draining,
    weight: about.weight,
    last_errors: gate.errors.map(({ at, modelClass, cause }) => ({
      at: time(at),
      model: modelClass,
      cause,
    })),
    unused: unusedSnapshot(gate, account, now),
    hold: gate.hold?.reason ?? null,
    organization: gate.organization.id,
    shares_organization_with: gate.organization.peers,
  }
}

const unusedSnapshot = (
  gate: Gate,
  account: AccountLimits,
  now: number,
): GateSnapshot['unused'] => {
  const unused = whyUnused(gate, account, now)
  if (unused === null) return null
  return { reason: unused.reason, until: unused.until === null ? null : time(unused.until) }
}

/** The account as a whole: usable while one class is; otherwise as its most hopeful class. */
const accountState = (gate: Gate): DoorState => {
  if (gate.hold !== null) return gate.hold.probe === null ? 'open' : 'half_open'
  const phases = [...gate.classes.values()].map(({ breaker }) => breaker.phase.kind)
  if (phases.length === 0 || phases.includes('closed')) return 'closed'
  return phases.includes('half_open') ? 'half_open' : 'open'
}

/** One set of buckets stands for the account: those of the class with the least left. */
const rateSnapshot = (gate: Gate, now: number): GateSnapshot['rate'] => {
  let tightest: RateState | null = null
  let least = Infinity
  for (const { rate } of gate.classes.values()) {
    const left = shareLeft(rate, now)
    if (left >= least) continue
    least = left
    tightest = rate
  }
  return {
    requests: bucketSnapshot(tightest?.requests ?? null, now),
    input_tokens: bucketSnapshot(tightest?.inputTokens ?? null, now),
    output_tokens: bucketSnapshot(tightest?.outputTokens ?? null, now),
  }
}

const shareLeft = (rate: RateState, now: number): number => {
  const buckets = [rate.requests, rate.inputTokens, rate.outputTokens]
  const shares = buckets.map((each) => (each === null ? Infinity : levelAt(each, now) / each.limit))
  return Math.min(...shares)
}

const bucketSnapshot = (bucket: Bucket | null, now: number): RateSnapshot | null => {
  if (bucket === null) return null
  const { limit, resetAt } = bucket
  const remaining = Math.max(0, Math.floor(levelAt(bucket, now)))
  return { limit, remaining, reset_at: resetAt === null ? null : time(resetAt) }
}
