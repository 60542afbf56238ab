// Every order of events in a small world: two slots, four callers that ask, wait, cancel, renew, settle, settle
// twice, vanish, lose answers; an object that crashes, is replaced, and runs on as a stale twin.
import { expect, test, vi } from 'vitest'
import { gateSettings } from '../../support/admission.ts'
import {
  act,
  checkWorld,
  isPossible,
  newWorld,
  type Action,
  type World,
} from '../../support/gate-world.ts'

// A lease lives 8 s, so a reservation's grace is 1 s: the two spans of time step over each of the two.
const SETTINGS = gateSettings({ leaseTtlMs: 8_000, leaseRenewMs: 2_000, queueWaitMs: 5_000 })
const SPANS_MS = [1_300, 6_800]

// Six steps: some 20,000 states in 3 s. Seven were searched too (96,000 states); longer orders are drawn at random
// in gate.properties.test.ts.
const DEPTH = 6

const CALLER_ACTIONS = (caller: number): Action[] => [
  { do: 'admit', caller, waitMs: 0, to: 'current' },
  { do: 'admit', caller, waitMs: 5_000, to: 'current' },
  { do: 'admit', caller, waitMs: 0, to: 'twin' },
  { do: 'admit', caller, waitMs: 5_000, to: 'twin' },
  { do: 'admit_lost', caller },
  { do: 'cancel', caller },
  { do: 'vanish', caller },
  { do: 'renew', caller, to: 'current' },
  { do: 'renew', caller, to: 'twin' },
  { do: 'renew_lost', caller },
  { do: 'settle', caller, to: 'current' },
  { do: 'settle', caller, to: 'twin' },
  { do: 'settle_lost', caller },
  { do: 'settle_again', caller },
]

const WORLD_ACTIONS: readonly Action[] = [
  ...SPANS_MS.map((ms): Action => ({ do: 'pass', ms })),
  { do: 'crash' },
  { do: 'replace' },
]

/** Callers are alike, so of those that have not begun only the first may begin. */
function actionsIn(world: World): Action[] {
  const firstIdle = world.callers.findIndex(({ phase }) => phase === 'idle')
  const actions = world.callers.flatMap(({ phase }, caller) =>
    phase === 'ended' || (phase === 'idle' && caller !== firstIdle) ? [] : CALLER_ACTIONS(caller),
  )
  for (const action of WORLD_ACTIONS) {
    if (action.do === 'crash' && world.crashes > 0) continue
    if (action.do === 'replace' && world.twins > 0) continue
    actions.push(action)
  }
  return actions.filter((action) => isPossible(world, action))
}

/** What tells two states apart, with times seen from now. */
function keyOf(world: World): string {
  const now = world.now
  const gateKey = (gate: World['twin']): unknown =>
    gate && [
      gate.epoch,
      [...gate.leases.held.values()].map(({ id, expiresAt }) => [id, expiresAt - now]),
      [...gate.leases.ended],
      [...gate.queue.byTicket.values()].map(({ ask, deadlineAt }) => [
        ask.ticket,
        deadlineAt - now,
      ]),
      [gate.reservation.slots, gate.reservation.writtenAt - now],
      gate.predecessors.map((each) => [each.epoch, each.slots, each.takenUntil - now]),
    ]
  return JSON.stringify([
    gateKey(world.current),
    gateKey(world.twin),
    world.stored.reservations.map((each) => [each.epoch, each.slots, each.writtenAt - now]),
    world.callers.map(({ phase, with: place, witness }) => [
      phase,
      place,
      phase === 'holding' && witness && [witness.epoch, witness.heldUntil - now, witness.certain],
    ]),
    [world.crashes, world.twins],
  ])
}

interface Found {
  readonly states: number
  readonly failure: { readonly problem: string; readonly path: readonly Action[] } | null
}

function explore(depth: number): Found {
  const quiet = { tenant: 't', lane: 'normal' } as const
  const first = newWorld(SETTINGS, 2, [quiet, quiet, quiet, quiet])
  const seen = new Set([keyOf(first)])
  let frontier: { world: World; path: readonly Action[] }[] = [{ world: first, path: [] }]
  for (let step = 0; step < depth; step++) {
    const next: typeof frontier = []
    for (const { world, path } of frontier) {
      for (const action of actionsIn(world)) {
        const after = structuredClone(world)
        act(after, action)
        const key = keyOf(after)
        if (seen.has(key)) continue
        seen.add(key)
        const taken = [...path, action]
        const problem = checkWorld(after)
        if (problem !== null) return { states: seen.size, failure: { problem, path: taken } }
        next.push({ world: after, path: taken })
      }
    }
    frontier = next
  }
  return { states: seen.size, failure: null }
}

// Three seconds of work, which a busy machine may spread over a minute.
vi.setConfig({ testTimeout: 120_000 })

test('in every order of events at most two calls are out, and every slot comes home', () => {
  const { states, failure } = explore(DEPTH)
  expect(failure).toBeNull()
  expect(states).toBeGreaterThan(15_000)
})
