// A small world around the gate's core: callers, one object with its storage, a stale twin, crashes, lost
// answers, and a clock. Plain data, so that it can be cloned and every order of events be tried. `checkWorld`
// says what must hold in each state.
import type { Lane, LeaseWitness, Outcome } from '../../src/core/admission/admission.ts'
import { newGate, type Gate, type Resolution } from '../../src/core/admission/gate-state.ts'
import { admit, advance, cancel, nextWakeAt, renew, settle } from '../../src/core/admission/gate.ts'
import {
  graceMs,
  predecessorOf,
  type ReservationRecord,
} from '../../src/core/admission/reservation.ts'
import type { GateSettings } from '../../src/core/admission/settings.ts'
import { countInUse } from '../../src/core/admission/gate-state.ts'
import { ask, at, settlement } from './admission.ts'

export interface Caller {
  readonly ticket: string
  readonly tenant: string
  readonly lane: Lane
  phase: 'idle' | 'waiting' | 'holding' | 'unsettled' | 'ended'
  /** The object that it last spoke to. */
  with: Place
  witness: LeaseWitness | null
}

type Place = 'current' | 'twin'

export interface World {
  readonly settings: GateSettings
  readonly limit: number
  now: number
  readonly stored: { epoch: number; reservations: ReservationRecord[] }
  current: Gate
  twin: Gate | null
  readonly callers: Caller[]
  crashes: number
  twins: number
}

export type Action =
  | { readonly do: 'admit'; readonly caller: number; readonly waitMs: number; readonly to: Place }
  | { readonly do: 'admit_lost'; readonly caller: number }
  | { readonly do: 'cancel' | 'vanish' | 'renew_lost' | 'settle_lost'; readonly caller: number }
  | { readonly do: 'renew' | 'settle'; readonly caller: number; readonly to: Place }
  | { readonly do: 'settle_again'; readonly caller: number; readonly outcome?: Outcome }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'crash' }
  | { readonly do: 'replace' }

const IGNORED: Outcome = { kind: 'ignored' }

export function newWorld(
  settings: GateSettings,
  limit: number,
  callers: readonly Pick<Caller, 'tenant' | 'lane'>[],
): World {
  const stored = { epoch: 0, reservations: [] }
  const world: World = {
    settings,
    limit,
    now: 0,
    stored,
    current: newGate(settings, 0),
    twin: null,
    callers: callers.map((each, index) => ({
      ...each,
      ticket: `c${index}`,
      phase: 'idle',
      with: 'current',
      witness: null,
    })),
    crashes: 0,
    twins: 0,
  }
  world.current = load(world)
  return world
}

/** As durable-objects/gate-store.ts does it. */
function load(world: World): Gate {
  const { stored, settings, limit } = world
  stored.epoch++
  const gate = newGate(settings, stored.epoch, stored.reservations.map(predecessorOf))
  gate.account = { maxConcurrent: limit, minConcurrent: 1, draining: false }
  return gate
}

function save(world: World, gate: Gate): void {
  if (!gate.reservation.unsaved) return
  gate.reservation.unsaved = false
  const former = world.stored.reservations.flatMap((record) => {
    const left = gate.predecessors.find(({ epoch }) => epoch === record.epoch)
    return left === undefined ? [] : [{ ...record, slots: left.slots }]
  })
  const { slots, writtenAt } = gate.reservation
  const own = { epoch: gate.epoch, slots, writtenAt }
  const spans = { graceMs: graceMs(world.settings), ttlMs: world.settings.leaseTtlMs }
  world.stored.reservations = [...former, { ...own, ...spans }]
}

const gateAt = (world: World, place: Place): Gate | null =>
  place === 'twin' ? world.twin : world.current

/** Runs one event in an object. What a twin would have to write fails, and takes the twin and its answers along. */
function run(world: World, place: Place, event: (gate: Gate) => readonly Resolution[]): boolean {
  const gate = gateAt(world, place)
  if (gate === null) return false
  const resolved = event(gate)
  if (place === 'twin' && gate.reservation.unsaved) {
    world.twin = null
    for (const caller of world.callers) {
      if (caller.with === 'twin' && caller.phase === 'waiting') caller.phase = 'ended'
    }
    return false
  }
  save(world, gate)
  deliver(world, resolved)
  return true
}

function deliver(world: World, resolved: readonly Resolution[]): void {
  for (const { ticket, admission } of resolved) {
    const caller = world.callers.find((each) => each.ticket === ticket)
    if (caller === undefined || caller.phase !== 'waiting') continue
    if (admission.kind === 'refused') {
      caller.phase = 'idle'
      continue
    }
    const { epoch, expiresAt } = admission.lease
    caller.phase = 'holding'
    caller.witness = {
      epoch,
      heldUntil: expiresAt,
      certain: true,
      tenant: caller.tenant,
      lane: caller.lane,
      modelClass: 'sonnet',
      since: world.now,
    }
  }
}

const askOf = (world: World, caller: Caller, maxWaitMs: number) =>
  ask(caller.ticket, { limit: world.limit, tenant: caller.tenant, lane: caller.lane, maxWaitMs })

/** Whether the action means anything in this state. */
export function isPossible(world: World, action: Action): boolean {
  if ('to' in action && action.to === 'twin' && world.twin === null) return false
  if (action.do === 'replace') return world.twin === null
  if (action.do === 'pass' || action.do === 'crash') return true
  const { phase } = world.callers[action.caller]!
  if (action.do === 'admit' || action.do === 'admit_lost') return phase === 'idle'
  if (action.do === 'cancel') return phase === 'waiting'
  if (action.do === 'vanish') return phase === 'waiting' || phase === 'holding'
  if (action.do === 'settle_again') return phase === 'unsettled'
  return isOut(world, world.callers[action.caller]!)
}

export function act(world: World, action: Action): void {
  const moment = at(world.now, 0.5)
  if (action.do === 'crash') return restart(world, 'ended')
  if (action.do === 'replace') return restart(world, 'twin')
  if (action.do === 'pass') return pass(world, action.ms)
  const caller = world.callers[action.caller]!
  const to = 'to' in action ? action.to : 'current'
  if (action.do === 'vanish') {
    caller.phase = 'ended'
  } else if (action.do === 'admit') {
    caller.phase = 'waiting'
    caller.with = to
    const done = run(world, to, (gate) => admit(gate, askOf(world, caller, action.waitMs), moment))
    if (!done) caller.phase = 'ended'
  } else if (action.do === 'admit_lost') {
    run(world, to, (gate) => admit(gate, askOf(world, caller, 0), moment))
  } else if (action.do === 'cancel') {
    caller.phase = 'ended'
    run(world, caller.with, (gate) => cancel(gate, caller.ticket, moment))
  } else if (action.do === 'renew' || action.do === 'renew_lost') {
    renewLease(world, caller, to, action.do === 'renew_lost')
  } else {
    const witness = action.do === 'settle_again' ? null : caller.witness
    caller.phase = action.do === 'settle_lost' ? 'unsettled' : 'ended'
    const said = settlement(caller.ticket, IGNORED, { epoch: witness?.epoch ?? 0 })
    run(world, to, (gate) => settle(gate, { settlement: said, witness }, moment))
  }
}

function renewLease(world: World, caller: Caller, to: Place, lost: boolean): void {
  const { witness, ticket } = caller
  let lease: ReturnType<typeof renew>[0] = null
  const answered = run(world, to, (gate) => {
    const renewed = renew(gate, { leaseId: ticket, witness, answering: false }, at(world.now))
    lease = renewed[0]
    return renewed[1]
  })
  if (witness === null) return
  if (lost || !answered || lease === null) caller.witness = { ...witness, certain: false }
  else {
    const { epoch, expiresAt } = lease as { epoch: number; expiresAt: number }
    caller.witness = { ...witness, epoch, heldUntil: expiresAt }
  }
}

function restart(world: World, former: 'ended' | 'twin'): void {
  if (former === 'twin') {
    world.twin = world.current
    world.twins++
  } else world.crashes++
  for (const caller of world.callers) {
    if (caller.with !== 'current') continue
    if (former === 'twin') caller.with = 'twin'
    else if (caller.phase === 'waiting') caller.phase = 'ended'
  }
  world.current = load(world)
}

/** Time passes, and each object wakes at every moment that it asked for. */
function pass(world: World, ms: number): void {
  const until = world.now + ms
  for (const place of ['current', 'twin'] as const) {
    for (let wakes = 0; wakes < 100; wakes++) {
      const gate = gateAt(world, place)
      const wake = gate === null ? null : nextWakeAt(gate, world.now)
      if (gate === null || wake === null || wake > until) break
      const now = world.now
      world.now = Math.max(now, wake)
      run(world, place, (each) => advance(each, at(world.now, 0.5)))
      world.now = now
    }
  }
  world.now = until
}

/** In flight upstream: a holder stops by itself when its lease is over and nobody has confirmed it. */
export const isOut = (world: World, { phase, witness }: Caller): boolean =>
  phase === 'holding' && witness !== null && world.now < witness.heldUntil

/** Null where all is well, else what is wrong. */
export function checkWorld(world: World): string | null {
  const out = world.callers.filter((caller) => isOut(world, caller)).length
  if (out > world.limit) return `${out} calls are out, the limit is ${world.limit}`
  const later = structuredClone(world)
  later.twin = null
  for (const caller of later.callers) caller.phase = 'ended'
  // The last waiter is let in at its deadline at the latest, and its lease then expires.
  const { queueWaitMs, leaseTtlMs } = world.settings
  act(later, { do: 'pass', ms: queueWaitMs + leaseTtlMs + 1_000 })
  const lost = countInUse(later.current)
  return lost === 0 ? null : `${lost} slots never come home`
}
