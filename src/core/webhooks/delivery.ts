// One event on its way to one address, as a state machine.
//
//   pending ── 2xx ──────────────────────────────► succeeded
//      │ ▲ ─── anything else, tries left ──┐
//      │ └─────────────────────────────────┘
//      ├────── no try left, inner address ──► failed
//      └────── 410, or its address said 410 ► disabled
//
// An operator may have an ended one delivered again. Before each try it is written that it begins: what is found begun
// after a crash was perhaps sent, counts as a try, and is sent again under the same id.
import { parseRetryAfterMs } from '../answering/outcome.ts'

export type DeliveryState = 'pending' | 'succeeded' | 'failed' | 'disabled'

/** Why a try was none; `interrupted`: we died in it. */
export type AttemptError =
  | 'status'
  | 'redirect'
  | 'timeout'
  | 'connection'
  | 'address_refused'
  | 'interrupted'

export interface Attempt {
  readonly at: number
  readonly durationMs: number
  /** Null: there was no answer. */
  readonly status: number | null
  readonly error: AttemptError | null
}

export interface Delivery {
  /** `webhook-id`. */
  readonly id: string
  readonly owner: string
  readonly type: string
  /** Null: it goes to the owner's endpoint, wherever that is by then. */
  readonly url: string | null
  /** Where the latest try went; null: there was none. */
  readonly sentTo: string | null
  readonly createdAt: number
  readonly state: DeliveryState
  /** The latest ones. */
  readonly attempts: readonly Attempt[]
  readonly attemptCount: number
  /** How many delays of the schedule are used up. */
  readonly step: number
  /** Null: nothing more is sent. */
  readonly dueAt: number | null
  /** A try is under way since then. */
  readonly sendingSince: number | null
  readonly endedAt: number | null
}

/** What became of a try. */
export type Sent =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfter: string | null }
  | { readonly kind: 'failed'; readonly error: Exclude<AttemptError, 'status' | 'redirect'> }

export interface RetryRules {
  /** Delays before each further try. */
  readonly scheduleMs: readonly number[]
  /** In [0, 1). */
  readonly random: number
}

const ATTEMPTS_SHOWN = 20
/** Only later, never earlier than the schedule says. */
const JITTER = 0.1
/** A receiver that asks for more has to be asked by hand. */
const RETRY_AFTER_MAX_MS = 24 * 3_600_000

export const newDelivery = (
  event: Pick<Delivery, 'id' | 'owner' | 'type' | 'url'>,
  now: number,
): Delivery => ({
  ...event,
  sentTo: null,
  createdAt: now,
  state: 'pending',
  attempts: [],
  attemptCount: 0,
  step: 0,
  dueAt: now,
  sendingSince: null,
  endedAt: null,
})

export const beginAttempt = (delivery: Delivery, sentTo: string, now: number): Delivery => ({
  ...delivery,
  sentTo,
  sendingSince: now,
})

/** Something of ours is not there: that is no try. */
export const postpone = (delivery: Delivery, dueAt: number): Delivery => ({ ...delivery, dueAt })

export function endAttempt(
  delivery: Delivery,
  sent: Sent,
  now: number,
  rules: RetryRules,
): Delivery {
  const attempt = attemptOf(delivery.sendingSince ?? now, sent, now)
  const tried: Delivery = {
    ...delivery,
    sendingSince: null,
    attempts: [...delivery.attempts, attempt].slice(-ATTEMPTS_SHOWN),
    attemptCount: delivery.attemptCount + 1,
  }
  if (attempt.error === null) return end(tried, 'succeeded', now)
  if (attempt.status === GONE) return end(tried, 'disabled', now)
  const delayMs = rules.scheduleMs[delivery.step]
  if (delayMs === undefined || attempt.error === 'address_refused') {
    return end(tried, 'failed', now)
  }
  const ownMs = delayMs * (1 + JITTER * rules.random)
  const retryAfter = sent.kind === 'answered' ? sent.retryAfter : null
  const askedMs = parseRetryAfterMs(retryAfter, now) ?? 0
  const waitMs = Math.max(ownMs, Math.min(askedMs, RETRY_AFTER_MAX_MS))
  return { ...tried, step: delivery.step + 1, dueAt: now + Math.ceil(waitMs) }
}

/** Its address takes nothing any more. */
export const disableDelivery = (delivery: Delivery, now: number): Delivery =>
  end(delivery, 'disabled', now)

/** Its owner is gone, or has no endpoint any more. */
export const dropDelivery = (delivery: Delivery, now: number): Delivery =>
  end(delivery, 'failed', now)

/** At once, and then by the schedule from its start; one that is under way goes on as it is. */
export const redeliver = (delivery: Delivery, now: number): Delivery =>
  delivery.sendingSince === null
    ? { ...delivery, state: 'pending', step: 0, dueAt: now, endedAt: null }
    : delivery

export const isGone = (sent: Sent): boolean => sent.kind === 'answered' && sent.status === GONE

const GONE = 410

const end = (delivery: Delivery, state: DeliveryState, now: number): Delivery => ({
  ...delivery,
  state,
  dueAt: null,
  sendingSince: null,
  endedAt: now,
})

function attemptOf(at: number, sent: Sent, now: number): Attempt {
  // A clock that was set back must not show a negative time.
  const durationMs = Math.max(0, now - at)
  if (sent.kind === 'failed') return { at, durationMs, status: null, error: sent.error }
  const { status } = sent
  return { at, durationMs, status, error: errorOf(status) }
}

function errorOf(status: number): AttemptError | null {
  if (status >= 200 && status < 300) return null
  return status >= 300 && status < 400 ? 'redirect' : 'status'
}
