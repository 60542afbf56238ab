// When no account takes a call: which of their reasons the caller is told, and when trying again makes sense.
import type { Lane, RefusalReason } from '../admission/admission.ts'
import { GatewayError, type Reason } from '../errors.ts'

export interface AccountRefusal {
  readonly reason: RefusalReason | 'unavailable'
  /** Epoch ms; null: not known. */
  readonly retryAt: number | null
}

interface Told {
  readonly reason: Reason
  readonly message: string
}

const busy: Told = { reason: 'queue_full', message: 'Every account is busy and its queue is full' }

const told: Readonly<Record<AccountRefusal['reason'], Told>> = {
  queue_timeout: {
    reason: 'queue_timeout',
    message: 'Every account is busy: no slot came free within the longest wait of this request',
  },
  queue_full: busy,
  full: { reason: 'queue_full', message: 'Every account is busy, and this request does not wait' },
  throttled: {
    reason: 'accounts_throttled',
    message: "Every account is at its own rate limit with Claude's API",
  },
  open: {
    reason: 'accounts_open',
    message: "Claude's API is failing for this model: no account may be tried yet",
  },
  quarantined: { reason: 'accounts_open', message: "No account's credential is accepted" },
  parked: { reason: 'accounts_open', message: 'Every account has reached its spend limit' },
  draining: { reason: 'draining', message: 'Every account is being drained' },
  retry_budget: busy,
  cancelled: busy,
  unavailable: { reason: 'gate_unavailable', message: "No account's gate can be reached" },
}

/** A caller is told what waiting mends soonest: a busy account before a throttled, before a failing one. */
const order: readonly AccountRefusal['reason'][] = [
  'queue_timeout',
  'queue_full',
  'full',
  'throttled',
  'open',
  'draining',
  'parked',
  'quarantined',
  'unavailable',
  'retry_budget',
  'cancelled',
]

export interface Waited {
  readonly lane: Lane
  readonly queuedMs: number
}

/** @param refusals what each account that was asked said; at least one */
export function refusalOf(
  refusals: readonly AccountRefusal[],
  now: number,
  waited: Waited,
): GatewayError {
  const said = order.find((reason) => refusals.some((refusal) => refusal.reason === reason))
  const { reason, message } = told[said ?? 'unavailable']
  const queuedMs = Math.round(waited.queuedMs)
  const where = queuedMs > 0 ? ` (waited ${queuedMs} ms in lane ${waited.lane})` : ''
  const headers = { 'sluice-queued-ms': String(queuedMs) }
  const times = refusals.flatMap(({ retryAt }) => (retryAt === null ? [] : [retryAt]))
  if (times.length === 0) return new GatewayError(reason, message + where, { headers })
  return new GatewayError(reason, message + where, {
    headers,
    retryAfterMs: Math.max(0, Math.min(...times) - now),
  })
}
