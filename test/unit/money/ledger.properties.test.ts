// What the ledger promises of money under any order of events: together, calls pass a budget by at most the cost of one
// of them; with money left someone always runs; and each call is billed once.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { advance, renew, reserve, settle } from '../../../src/core/money/ledger/ledger.ts'
import { type Ledger, newLedger } from '../../../src/core/money/ledger/ledger-state.ts'
import { restoreLedger, toRecord } from '../../../src/core/money/ledger/ledger-record.ts'
import { reportOf } from '../../../src/core/money/ledger/left.ts'
import type { LedgerAsk } from '../../../src/core/money/ledger/words.ts'
import { sumUsage } from '../../../src/core/money/usage-totals.ts'
import { billOf, ledgerAsk, limits, NOON, unlimited } from '../../support/ledger.ts'

interface CallPlan {
  readonly stream: boolean
  readonly maxOutputTokens: number
  /** Of its maximum. */
  readonly share: number
}

/** A caller that keeps the rules: what it may not spend it does not spend. */
interface Running {
  readonly ask: LedgerAsk
  readonly wanted: number
  produced: number
  allowance: number | null
}

type Step =
  | { readonly kind: 'arrive'; readonly plan: CallPlan }
  | { readonly kind: 'produce'; readonly pick: number; readonly tokens: number }
  | { readonly kind: 'finish' | 'leave' | 'die'; readonly pick: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'crash' }

const plan = fc.record({
  stream: fc.boolean(),
  maxOutputTokens: fc.integer({ min: 1, max: 5_000 }),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
})
const pick = fc.nat({ max: 1_000 })
const step = (longestMs: number): fc.Arbitrary<Step> =>
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('arrive' as const), plan }) },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('produce' as const),
        pick,
        tokens: fc.integer({ min: 1, max: 2_000 }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constantFrom('finish', 'leave', 'die'), pick }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat({ max: longestMs }) }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
  )

class World {
  ledger: Ledger = newLedger()
  now = NOON
  readonly running: Running[] = []
  readonly dead: Running[] = []
  readonly costs: number[] = []
  readonly billed = new Map<string, number>()
  granted = 0
  /** By parts of a token, which is not divided. */
  beyond = 0
  readonly #budget: number
  #named = 0

  readonly #agedMs: number

  /** @param agedMs how long every call has waited before it asks */
  constructor(budget: number, agedMs = 0) {
    this.#budget = budget
    this.#agedMs = agedMs
  }

  get spent(): number {
    return reportOf(this.ledger, unlimited, NOON).spentDayNanoUsd
  }

  run(event: Step): void {
    switch (event.kind) {
      case 'arrive':
        return this.arrive(event.plan)
      case 'pass':
        this.now += event.ms
        return advance(this.ledger, this.now)
      case 'crash':
        return this.crash()
      default: {
        const call = this.running[event.pick % Math.max(1, this.running.length)]
        if (call === undefined) return
        if (event.kind === 'produce') return this.produce(call, event.tokens)
        if (event.kind === 'finish') this.produce(call, call.wanted)
        if (event.kind === 'die') this.bury(call)
        else this.end(call)
      }
    }
  }

  arrive({ stream, maxOutputTokens, share }: CallPlan): void {
    this.#named += 1
    const ask = ledgerAsk(`c${this.#named}`, {
      stream,
      maxOutputTokens,
      at: this.now - this.#agedMs,
      limits: limits({ dayNanoUsd: this.#budget }),
    })
    const answer = reserve(this.ledger, ask, this.now)
    const known = this.spent
    if (answer.kind === 'refused') {
      const told = [...this.ledger.leases.values()].map((each) => each.progress?.costNanoUsd ?? 0)
      expect(known + told.reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(this.#budget)
    }
    if (answer.kind === 'busy') expect(this.ledger.leases.size).toBeGreaterThan(0)
    if (answer.kind !== 'granted') return
    expect(known).toBeLessThan(this.#budget)
    this.granted += 1
    const wanted = Math.floor(maxOutputTokens * share)
    this.running.push({ ask, wanted, produced: 0, allowance: answer.allowanceNanoUsd })
  }

  produce(call: Running, tokens: number): void {
    if (!this.running.includes(call)) return
    if (!call.ask.stream) return
    const wanted = Math.min(call.wanted, call.produced + tokens)
    for (;;) {
      const may = call.allowance === null ? Infinity : Math.ceil((call.allowance - 100) / 10)
      call.produced = Math.min(wanted, Math.max(call.produced, may))
      if (call.produced >= wanted) return
      // It is noticed with the token that reaches it.
      const { costNanoUsd } = billOf(call.ask, call.produced)
      this.beyond += Math.max(0, costNanoUsd - (call.allowance ?? Infinity))
      const renewed = renew(
        this.ledger,
        {
          ask: call.ask,
          allowanceNanoUsd: call.allowance,
          progress: billOf(call.ask, call.produced),
        },
        this.now,
      )
      if (renewed.kind !== 'go') return this.end(call)
      expect(renewed.allowanceNanoUsd ?? Infinity).toBeGreaterThan(costNanoUsd)
      call.allowance = renewed.allowanceNanoUsd
    }
  }

  end(call: Running): void {
    const at = this.running.indexOf(call)
    if (at < 0) return
    this.running.splice(at, 1)
    const usage = billOf(call.ask, call.ask.stream ? call.produced : call.wanted)
    this.costs.push(usage.costNanoUsd)
    this.billed.set(call.ask.id, usage.costNanoUsd)
    settle(this.ledger, { id: call.ask.id, usage, tookMs: 100 }, this.now)
    settle(this.ledger, { id: call.ask.id, usage, tookMs: 100 }, this.now)
  }

  bury(call: Running): void {
    this.running.splice(this.running.indexOf(call), 1)
    this.dead.push(call)
  }

  /** All that was written comes back, nothing else does. */
  crash(): void {
    const { leases, tokens, unsaved } = this.ledger
    const stored = JSON.stringify({
      record: toRecord(this.ledger),
      leases: [...leases.values()],
      tokens: [...tokens],
    })
    const { usage } = unsaved
    this.ledger = restoreLedger(JSON.parse(stored))
    for (const [id, record] of usage) this.ledger.unsaved.usage.set(id, record)
  }

  finish(): void {
    for (const call of this.running.slice()) {
      this.produce(call, call.wanted)
      this.end(call)
    }
    const before = this.spent
    advance(this.ledger, this.now + 120_000)
    for (const { ask } of this.dead) {
      this.costs.push(this.ledger.unsaved.usage.get(ask.id)?.costNanoUsd ?? 0)
    }
    expect(this.spent).toBeGreaterThanOrEqual(before)
  }

  check(): void {
    const overspent = this.spent - this.#budget
    expect(overspent).toBeLessThanOrEqual(Math.max(0, ...this.costs) + this.beyond)
    // The usage table and the budget tell the same.
    const rows = sumUsage(this.ledger.unsaved.usage.values())
    expect(rows.reduce((sum, row) => sum + row.costNanoUsd, 0)).toBe(this.spent)
    expect(rows.reduce((sum, row) => sum + row.requests, 0)).toBe(this.granted)
    expect(this.ledger.leases.size).toBe(0)
    for (const [id, cost] of this.billed) {
      expect(this.ledger.unsaved.usage.get(id)?.costNanoUsd).toBe(cost)
    }
  }
}

const play = (budget: number, steps: readonly Step[]): void => {
  const world = new World(budget)
  for (const each of steps) world.run(each)
  world.finish()
  world.check()
}

describe('a budget', () => {
  test('is passed by at most the cost of one call, in any order of events', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200_000 }),
        // Shorter than a newcomer's patience, in all: nothing is trusted but the rule itself.
        fc.array(step(10), { maxLength: 120 }),
        play,
      ),
      { numRuns: 500 },
    )
  })

  test('holds for fifty at once at its end', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.array(plan, { minLength: 50, maxLength: 50 }),
        fc.array(step(10), { maxLength: 200 }),
        (budget, plans, steps) =>
          play(budget, [
            ...plans.map((each) => ({ kind: 'arrive' as const, plan: each })),
            ...steps,
          ]),
      ),
      { numRuns: 200 },
    )
  })

  test('holds for those who waited, as long as calls stay alike', () => {
    const alike = fc.record({
      kind: fc.constant('arrive' as const),
      plan: fc.record({
        stream: fc.constant(false),
        maxOutputTokens: fc.constant(5_000),
        share: fc.double({ min: 0.05, max: 0.15, noNaN: true }),
      }),
    })
    const finish = fc.record({ kind: fc.constant('finish' as const), pick })
    const steps = fc
      .tuple(
        fc.array(fc.tuple(alike, finish), { minLength: 12, maxLength: 12 }),
        fc.array(fc.oneof({ weight: 6, arbitrary: alike }, { weight: 1, arbitrary: finish }), {
          minLength: 30,
          maxLength: 60,
        }),
      )
      .map(([before, then]) => [...before.flat(), ...then])
    let beyond = 0
    fc.assert(
      fc.property(fc.integer({ min: 50_000, max: 500_000 }), steps, (budget, events) => {
        const world = new World(budget, 3_000)
        for (const event of events) world.run(event)
        const worst = world.running.reduce((sum, { ask }) => sum + ask.maxOutputTokens * 10, 0)
        beyond = Math.max(beyond, worst - budget)
        world.finish()
        world.check()
      }),
      { numRuns: 300 },
    )
    // More ran than the worst case of two would have allowed: the past was trusted.
    expect(beyond).toBeGreaterThan(100_000)
  })
})
