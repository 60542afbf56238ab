// What is told to others: an event, by whom it is to be heard, and the text of it, which is the same at each try. Of one
// thing that happened there is one key, so that it may be said any number of times and is one event.
import type { TimelineEntry } from '../admission/timeline.ts'

/** Whoever runs the gateway: no tenant's id looks like this. */
export const OPERATOR = '$operator'

export interface WebhookEvent {
  /** A tenant's id, or the operator. */
  readonly owner: string
  /** One of its owner's events, whenever and however often it is told. */
  readonly key: string
  readonly type: string
  /** When it happened; epoch ms. */
  readonly at: number
  /** Where to; null: the owner's endpoint, and nowhere if there is none. */
  readonly url: string | null
  /** JSON, as it is sent and signed. */
  readonly body: string
}

export interface EndedJob {
  readonly tenant: string
  readonly id: string
  /** A job that was redriven ends again: that is another event. */
  readonly round?: number
  readonly status: 'succeeded' | 'failed' | 'canceled' | 'expired'
  readonly endedAt: number
  /** The job's own; null: it named none. */
  readonly url: string | null
  /** As `GET /v1/jobs/:id` shows it, without its result: that is read there, with the tenant's key. */
  readonly shown: Readonly<Record<string, unknown>>
}

/** `job.succeeded`, `job.failed`, `job.canceled`, `job.expired`. */
export const jobEndedEvent = ({ tenant, id, round, status, endedAt, url, shown }: EndedJob) =>
  event({ owner: tenant, key: jobKey(id, round), type: `job.${status}`, at: endedAt, url }, shown)

export const jobKey = (id: string, round = 0): string =>
  round === 0 ? `job ${id}` : `job ${id} ${round}`

/** `account.opened`, `account.closed`; null: the entry says nothing of a door, or of one that stays shut. */
export function doorEvent(account: string, seq: number, entry: TimelineEntry): WebhookEvent | null {
  const { at, kind, from, to, cause, modelClass } = entry
  if (kind !== 'breaker' && kind !== 'account') return null
  const opened = from === 'closed' && to !== 'closed'
  const closed = from !== 'closed' && to === 'closed'
  if (!opened && !closed) return null
  return operatorEvent(
    // A gate that was wiped numbers anew.
    { key: `door ${account} ${seq} ${at}`, type: opened ? 'account.opened' : 'account.closed', at },
    { account, model_class: modelClass, from, to, cause },
  )
}

export interface ReachedThreshold {
  readonly tenant: string
  readonly period: 'day' | 'month'
  /** `2026-11-21`, `2026-11`: the same threshold is reached once in each. */
  readonly periodName: string
  readonly percent: 75 | 95 | 100
  readonly spentUsd: number
  readonly budgetUsd: number
  readonly at: number
}

/** `budget.threshold`, for the operator and for the tenant whose budget it is. */
export function thresholdEvents(reached: ReachedThreshold): readonly WebhookEvent[] {
  const { tenant, period, periodName, percent, spentUsd, budgetUsd, at } = reached
  const key = `budget ${tenant} ${period} ${periodName} ${percent} ${budgetUsd}`
  const data = {
    tenant,
    period,
    period_name: periodName,
    percent,
    spent_usd: spentUsd,
    budget_usd: budgetUsd,
  }
  const name = { key, type: 'budget.threshold', at }
  return [operatorEvent(name, data), event({ ...name, owner: tenant, url: null }, data)]
}

export interface AddedDeadLetter {
  readonly tenant: string
  readonly jobId: string
  /** A job that was redriven may fail again: that is another letter. */
  readonly round: number
  readonly lane: string
  readonly attempts: number
  readonly reason: string
  readonly at: number
}

/** `dead_letter.added`. */
export function deadLetterEvent(letter: AddedDeadLetter): WebhookEvent {
  const { tenant, jobId, round, lane, attempts, reason, at } = letter
  return operatorEvent(
    { key: `dead letter ${jobId} ${round}`, type: 'dead_letter.added', at },
    { tenant, job: jobId, lane, attempts, reason },
  )
}

type Name = Pick<WebhookEvent, 'key' | 'type' | 'at'>

const operatorEvent = (name: Name, data: Readonly<Record<string, unknown>>): WebhookEvent =>
  event({ ...name, owner: OPERATOR, url: null }, data)

const event = (
  head: Omit<WebhookEvent, 'body'>,
  data: Readonly<Record<string, unknown>>,
): WebhookEvent => ({
  ...head,
  body: JSON.stringify({ type: head.type, timestamp: new Date(head.at).toISOString(), data }),
})
