// Random orders of events, far longer than the model's: what must hold whatever happens.
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { Lane, Outcome } from '../../../src/core/admission/admission.ts'
import { countInUse, type Gate } from '../../../src/core/admission/gate-state.ts'
import {
  admit,
  advance,
  cancel,
  nextWakeAt,
  renew,
  settle,
} from '../../../src/core/admission/gate.ts'
import { readLimit } from '../../../src/core/admission/limit.ts'
import { closeByHand, openByHand, resetByHand } from '../../../src/core/admission/operate.ts'
import { observe } from '../../../src/core/admission/observe.ts'
import { retryCap } from '../../../src/core/admission/retry-budget.ts'
import { LANES } from '../../../src/core/admission/wait-queue.ts'
import { aGate, ask, at, gateSettings, settlement } from '../../support/admission.ts'
import {
  act,
  checkWorld,
  isPossible,
  newWorld,
  type Action,
  type World,
} from '../../support/gate-world.ts'

const CALLERS = 8
const LIMIT = 3
const RUNS = 400

// Seconds of work, which a busy machine may spread over a minute.
vi.setConfig({ testTimeout: 120_000 })

const SPANS_MS = [1, 300, 1_300, 2_500, 7_000]

/** Each possible action, as often as it shall be drawn: asking and settling are common, losing rare. */
function possibleActions(world: World): Action[] {
  const actions: Action[] = SPANS_MS.map((ms) => ({ do: 'pass', ms }))
  actions.push({ do: 'crash' }, { do: 'replace' })
  for (const caller of world.callers.keys()) {
    for (const to of ['current', 'current', 'twin'] as const) {
      actions.push(
        { do: 'admit', caller, waitMs: 0, to },
        { do: 'admit', caller, waitMs: 4_000, to },
      )
      actions.push({ do: 'settle', caller, to }, { do: 'renew', caller, to })
    }
    actions.push({ do: 'settle_lost', caller }, { do: 'settle_again', caller })
    actions.push({ do: 'admit_lost', caller }, { do: 'renew_lost', caller })
    actions.push({ do: 'cancel', caller }, { do: 'vanish', caller })
  }
  return actions.filter((action) => isPossible(world, action))
}

const draws = fc.array(fc.nat({ max: 1_000_000 }), { minLength: 30, maxLength: 60, size: 'max' })

describe('leases, across crashes, stale twins and lost answers', () => {
  test('never more than the limit are out, and every slot comes home', () => {
    const settings = gateSettings({ leaseTtlMs: 8_000, leaseRenewMs: 2_000, queueWaitMs: 5_000 })
    fc.assert(
      fc.property(draws, (drawn) => {
        const callers = Array.from({ length: CALLERS }, (_, index) => ({
          tenant: `t${index % 3}`,
          lane: LANES[index % 3] as Lane,
        }))
        const world = newWorld(settings, LIMIT, callers)
        for (const draw of drawn) {
          const actions = possibleActions(world)
          act(world, actions[draw % actions.length]!)
          // An ended caller comes back as a new one: a ticket is never used twice.
          for (const [index, { phase }] of world.callers.entries()) {
            if (phase !== 'ended') continue
            const again = world.callers[index]!
            const ticket = `${again.ticket}'`
            world.callers[index] = {
              ...again,
              ticket,
              phase: 'idle',
              with: 'current',
              witness: null,
            }
          }
          expect(checkWorld(world)).toBeNull()
        }
      }),
      { numRuns: RUNS },
    )
  }, 60_000)
})

const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Outcome>({ kind: 'served' }) },
  { weight: 4, arbitrary: fc.constant<Outcome>({ kind: 'failed', cause: 'cut' }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('throttled' as const),
      retryAfterMs: fc.constantFrom(null, 500),
      rampLimited: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Outcome>(
      { kind: 'ignored' },
      { kind: 'spend_limited' },
      { kind: 'credential_refused' },
    ),
  },
)

const event = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('admit' as const),
      waitMs: fc.constantFrom(0, 50, 2_000),
      lane: fc.constantFrom(...LANES),
      model: fc.constantFrom('sonnet', 'opus'),
      attempt: fc.constantFrom(1, 2),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('settle' as const), index: fc.nat(), outcome }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('renew' as const),
      index: fc.nat(),
      outputTokens: fc.nat({ max: 5_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('observe' as const),
      account: fc.constantFrom('b', 'c'),
      remaining: fc.nat({ max: 3 }),
      organization: fc.constantFrom('org', 'org', 'other'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), index: fc.nat() }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat({ max: 2_000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('open' as const, 'close' as const, 'reset' as const),
    }),
  },
)

type GateEvent = typeof event extends fc.Arbitrary<infer E> ? E : never

interface Run {
  readonly gate: Gate
  now: number
  tickets: string[]
  readonly answered: Map<string, number>
}

const newRun = (): Run => ({
  gate: aGate({
    breakerConsecutive: 3,
    breakerCooldownMs: 1_000,
    breakerCooldownMaxMs: 4_000,
    breakerProbes: 2,
    breakerProbeTimeoutMs: 1_500,
    leaseTtlMs: 8_000,
    queueLength: 6,
    queuePerTenant: 4,
  }),
  now: 0,
  tickets: [],
  answered: new Map(),
})

const MAX_CONCURRENT = 5

function play(run: Run, each: GateEvent): void {
  const { gate } = run
  const moment = at(run.now, 0.5)
  const pick = (index: number): string =>
    run.tickets[index % Math.max(1, run.tickets.length)] ?? 'x'
  const resolved = ((): ReturnType<typeof advance> => {
    if (each.kind === 'admit') {
      const ticket = `k${run.tickets.length}`
      run.tickets.push(ticket)
      const { waitMs: maxWaitMs, lane, model: modelClass, attempt } = each
      const change = { limit: MAX_CONCURRENT, maxWaitMs, lane, modelClass, tenant: lane, attempt }
      return admit(gate, ask(ticket, change), moment)
    }
    if (each.kind === 'settle') {
      const said = settlement(pick(each.index), each.outcome)
      return settle(gate, { settlement: said, witness: null }, moment)
    }
    if (each.kind === 'cancel') return cancel(gate, pick(each.index), moment)
    if (each.kind === 'renew') {
      const leaseId = pick(each.index)
      if (!gate.leases.held.has(leaseId)) return []
      const { outputTokens } = each
      return renew(gate, { leaseId, witness: null, answering: true, outputTokens }, moment)[1]
    }
    if (each.kind === 'observe') {
      const { account, organization, remaining } = each
      const rate = { requests: { limit: 60, remaining, resetAt: run.now + 3_000 } }
      const told = { account, organization, modelClass: 'sonnet', rate, retryAfterMs: 2_000 }
      return observe(gate, told, moment)
    }
    if (each.kind === 'pass') {
      run.now += each.ms
      return advance(gate, at(run.now, 0.5))
    }
    return { open: openByHand, close: closeByHand, reset: resetByHand }[each.kind](gate, moment)
  })()
  for (const { ticket } of resolved) run.answered.set(ticket, (run.answered.get(ticket) ?? 0) + 1)
}

function checkGate({ gate, answered }: Run): void {
  const limit = readLimit(gate.limit, gate.account)
  expect(limit).toBeGreaterThanOrEqual(1)
  expect(limit).toBeLessThanOrEqual(Math.max(1, gate.account.maxConcurrent))
  expect(countInUse(gate)).toBeLessThanOrEqual(MAX_CONCURRENT)
  expect(gate.leases.held.size).toBeLessThanOrEqual(Math.max(gate.reservation.slots, 0))
  expect(gate.queue.byTicket.size).toBeLessThanOrEqual(gate.settings.queueLength)
  for (const waiting of gate.queue.byTenant.values()) {
    expect(waiting).toBeLessThanOrEqual(gate.settings.queuePerTenant)
  }
  expect(gate.retryBalance).toBeGreaterThanOrEqual(0)
  expect(gate.retryBalance).toBeLessThanOrEqual(retryCap(gate.settings.retryBudgetRatio))
  for (const { breaker } of gate.classes.values()) {
    if (breaker.phase.kind !== 'half_open') continue
    expect(breaker.phase.probes.size).toBeLessThanOrEqual(gate.settings.breakerProbes)
  }
  for (const times of answered.values()) expect(times).toBe(1)
  expect(gate.timeline.length).toBeLessThanOrEqual(100)
  expect(gate.errors.length).toBeLessThanOrEqual(20)
}

const events = fc.array(event, { minLength: 20, maxLength: 120, size: 'max' })

describe('the gate, whatever happens to it', () => {
  test('keeps its bounds, and answers each ticket exactly once', () => {
    fc.assert(
      fc.property(events, (played) => {
        const run = newRun()
        for (const each of played) {
          play(run, each)
          checkGate(run)
        }
        run.now += 10_000
        for (const { ticket } of advance(run.gate, at(run.now))) {
          run.answered.set(ticket, (run.answered.get(ticket) ?? 0) + 1)
        }
        for (const ticket of run.tickets) expect(run.answered.get(ticket)).toBe(1)
      }),
      { numRuns: RUNS },
    )
  })

  test('is never stuck: once nobody holds it shut by hand, a call gets in after its longest time', () => {
    fc.assert(
      fc.property(events, (played) => {
        const run = newRun()
        for (const each of played) play(run, each)
        if (run.gate.hold?.reason === 'manual') closeByHand(run.gate, at(run.now))
        let now = run.now
        for (let wakes = 0; wakes < 200; wakes++) {
          const wake = nextWakeAt(run.gate, now)
          if (wake === null) break
          expect(wake).toBeGreaterThan(now)
          now = wake
          advance(run.gate, at(now))
        }
        now += 10_000
        const resolved = admit(run.gate, ask('last', { limit: MAX_CONCURRENT }), at(now))
        expect(resolved.find(({ ticket }) => ticket === 'last')?.admission.kind).toBe('admitted')
      }),
      { numRuns: RUNS },
    )
  })

  test('is a function of its events: the same ones on a clone give the same state', () => {
    fc.assert(
      fc.property(events, events, (before, after) => {
        const run = newRun()
        for (const each of before) play(run, each)
        const clone = structuredClone(run)
        for (const each of after) {
          play(run, each)
          play(clone, each)
        }
        expect(clone).toEqual(run)
      }),
      { numRuns: 100 },
    )
  })

  test('settled twice is settled once', () => {
    fc.assert(
      fc.property(events, fc.nat(), outcome, (played, index, ended) => {
        const run = newRun()
        for (const each of played) play(run, each)
        play(run, { kind: 'settle', index, outcome: ended })
        const once = structuredClone(run)
        play(run, { kind: 'settle', index, outcome: { kind: 'failed', cause: 'cut' } })
        expect(run.gate).toEqual(once.gate)
      }),
      { numRuns: 200 },
    )
  })
})
