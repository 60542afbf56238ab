// Who is next when a slot frees. Lanes share 4:2:1 by smooth weighted round robin; inside a lane tenants share by
// deficit round robin with the estimated tokens as cost, the quantum being the least that lets one of them pay.
// Waiters whose model class may not go now are stepped over without losing their turn.
import type { AdmissionAsk, Lane } from './admission.ts'
import { LANE_WEIGHTS, LEAST_COST_TOKENS } from './tuning.ts'

export const LANES: readonly Lane[] = ['high', 'normal', 'low']

export interface Waiter {
  readonly ask: AdmissionAsk
  readonly since: number
  readonly deadlineAt: number
}

interface TenantQueue {
  readonly tenant: string
  readonly waiters: Waiter[]
  deficit: number
}

interface LaneQueue {
  /** In turn: the tenant that was served last goes to the end. */
  readonly tenants: Map<string, TenantQueue>
  credit: number
}

export interface WaitQueue {
  readonly lanes: Readonly<Record<Lane, LaneQueue>>
  readonly byTicket: Map<string, Waiter>
  readonly byTenant: Map<string, number>
  readonly byClass: Map<string, number>
  /** No later than the earliest deadline. */
  nextDeadlineAt: number
}

const newLane = (): LaneQueue => ({ tenants: new Map(), credit: 0 })

export const newWaitQueue = (): WaitQueue => ({
  lanes: { high: newLane(), normal: newLane(), low: newLane() },
  byTicket: new Map(),
  byTenant: new Map(),
  byClass: new Map(),
  nextDeadlineAt: Infinity,
})

const bump = (counts: Map<string, number>, key: string, by: number): void => {
  const count = (counts.get(key) ?? 0) + by
  if (count > 0) counts.set(key, count)
  else counts.delete(key)
}

export const hasPlace = (
  queue: WaitQueue,
  tenant: string,
  bounds: { readonly queueLength: number; readonly queuePerTenant: number },
): boolean =>
  queue.byTicket.size < bounds.queueLength &&
  (queue.byTenant.get(tenant) ?? 0) < bounds.queuePerTenant

export function joinQueue(queue: WaitQueue, waiter: Waiter): void {
  const { tenant, lane, ticket, modelClass } = waiter.ask
  const { tenants } = queue.lanes[lane]
  const own = tenants.get(tenant)
  if (own === undefined) tenants.set(tenant, { tenant, waiters: [waiter], deficit: 0 })
  else own.waiters.push(waiter)
  queue.byTicket.set(ticket, waiter)
  bump(queue.byTenant, tenant, 1)
  bump(queue.byClass, modelClass, 1)
  queue.nextDeadlineAt = Math.min(queue.nextDeadlineAt, waiter.deadlineAt)
}

export function leaveQueue(queue: WaitQueue, ticket: string): Waiter | null {
  const waiter = queue.byTicket.get(ticket)
  if (waiter === undefined) return null
  const { tenant, lane, modelClass } = waiter.ask
  const { tenants } = queue.lanes[lane]
  const own = tenants.get(tenant)
  if (own !== undefined) {
    own.waiters.splice(own.waiters.indexOf(waiter), 1)
    // An empty queue keeps no credit: what was not used while nobody waited is not saved up.
    if (own.waiters.length === 0) tenants.delete(tenant)
  }
  if (tenants.size === 0) queue.lanes[lane].credit = 0
  queue.byTicket.delete(ticket)
  bump(queue.byTenant, tenant, -1)
  bump(queue.byClass, modelClass, -1)
  return waiter
}

export type MayGo = (waiter: Waiter) => boolean

/** Who would be next, decided without changing anything: `takeChoice` makes it so. */
export interface Choice {
  readonly lane: Lane
  readonly readyLanes: readonly Lane[]
  readonly heads: readonly Head[]
  readonly next: Head
}

interface Head {
  readonly own: TenantQueue
  readonly waiter: Waiter
  readonly missing: number
}

const costOf = (waiter: Waiter): number =>
  Math.max(LEAST_COST_TOKENS, waiter.ask.estimatedInputTokens)

export function chooseNext(queue: WaitQueue, mayGo: MayGo): Choice | null {
  if (queue.byTicket.size === 0) return null
  const headsByLane = new Map<Lane, Head[]>()
  for (const lane of LANES) {
    const heads = headsOf(queue.lanes[lane], mayGo)
    if (heads.length > 0) headsByLane.set(lane, heads)
  }
  const readyLanes = [...headsByLane.keys()]
  const lane = richestLane(queue, readyLanes)
  const heads = lane === null ? undefined : headsByLane.get(lane)
  const next = heads?.reduce((best, head) => (head.missing < best.missing ? head : best))
  if (lane === null || heads === undefined || next === undefined) return null
  return { lane, readyLanes, heads, next }
}

const headsOf = (lane: LaneQueue, mayGo: MayGo): Head[] => {
  const heads: Head[] = []
  for (const own of lane.tenants.values()) {
    const waiter = own.waiters.find(mayGo)
    if (waiter !== undefined) heads.push({ own, waiter, missing: costOf(waiter) - own.deficit })
  }
  return heads
}

/** Smooth weighted round robin: each ready lane earns its weight, the richest pays the sum. */
const richestLane = (queue: WaitQueue, ready: readonly Lane[]): Lane | null => {
  let chosen: Lane | null = null
  let most = -Infinity
  for (const lane of ready) {
    const credit = queue.lanes[lane].credit + LANE_WEIGHTS[lane]
    if (credit <= most) continue
    chosen = lane
    most = credit
  }
  return chosen
}

export function takeChoice(queue: WaitQueue, choice: Choice): Waiter {
  const { lane, readyLanes, heads, next } = choice
  let total = 0
  for (const each of readyLanes) {
    queue.lanes[each].credit += LANE_WEIGHTS[each]
    total += LANE_WEIGHTS[each]
  }
  queue.lanes[lane].credit -= total
  const quantum = Math.max(0, next.missing)
  for (const head of heads) head.own.deficit += quantum
  next.own.deficit -= costOf(next.waiter)
  const { tenants } = queue.lanes[lane]
  tenants.delete(next.own.tenant)
  tenants.set(next.own.tenant, next.own)
  leaveQueue(queue, next.waiter.ask.ticket)
  return next.waiter
}

/** Removes every waiter that matches: those whose deadline has passed, those whose class has closed. */
export function takeWhere(queue: WaitQueue, matches: (waiter: Waiter) => boolean): Waiter[] {
  const taken = [...queue.byTicket.values()].filter(matches)
  for (const waiter of taken) leaveQueue(queue, waiter.ask.ticket)
  return taken
}

export function takeExpired(queue: WaitQueue, now: number): Waiter[] {
  if (now < queue.nextDeadlineAt) return []
  const expired = takeWhere(queue, (waiter) => now >= waiter.deadlineAt)
  queue.nextDeadlineAt = Infinity
  for (const waiter of queue.byTicket.values()) {
    queue.nextDeadlineAt = Math.min(queue.nextDeadlineAt, waiter.deadlineAt)
  }
  return expired
}

export interface WaitPlace {
  readonly lane: Lane
  /** 1: none of its lane has waited for longer. */
  readonly position: number
  /** All that wait, of any lane. */
  readonly waiting: number
}

/** Where a waiter stands, by arrival: who goes next also depends on lanes, tenants and tokens. */
export function placeOf(queue: WaitQueue, ticket: string): WaitPlace | null {
  const own = queue.byTicket.get(ticket)
  if (own === undefined) return null
  let position = 1
  for (const waiter of queue.byTicket.values()) {
    if (waiter === own) break
    if (waiter.ask.lane === own.ask.lane) position++
  }
  return { lane: own.ask.lane, position, waiting: queue.byTicket.size }
}

export function countByLane(queue: WaitQueue): Record<Lane, number> {
  const counts: Record<Lane, number> = { high: 0, normal: 0, low: 0 }
  for (const { ask } of queue.byTicket.values()) counts[ask.lane]++
  return counts
}
