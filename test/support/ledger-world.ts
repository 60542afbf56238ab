// A small world around one ledger and its shell: a disk that a crash leaves as it was, three callers that ask, run, end,
// vanish and lose answers, and the promises that hold whatever they do.
import { expect } from 'vitest'
import { LedgerHost } from '../../src/adapters/ledger/ledger-host.ts'
import { toRecord } from '../../src/core/money/ledger/ledger-record.ts'
import type { Ledger } from '../../src/core/money/ledger/ledger-state.ts'
import type { LedgerAsk } from '../../src/core/money/ledger/words.ts'
import type { UsageRecord } from '../../src/core/money/usage-record.ts'
import { billOf, ledgerAsk, limits, NOON, unlimited } from './ledger.ts'

export const BUDGET = 150
export const MOST_AT_ONCE = 2
const TTL_MS = 60_000
/** The first is no stream. */
const STREAMS = [false, true, true]
const TOKENS = 10
const INPUT_TOKENS = 10

export type Action =
  | {
      readonly do: 'ask' | 'ask_lost' | 'renew' | 'finish' | 'finish_lost'
      readonly caller: number
    }
  | { readonly do: 'settle_again' | 'release' | 'vanish'; readonly caller: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'write' | 'crash' }

type Phase = 'idle' | 'running' | 'asking' | 'untold' | 'ended' | 'released' | 'vanished'

interface WorldCaller {
  readonly ask: LedgerAsk
  phase: Phase
  produced: number
  allowance: number | null
  /** Its lease ran out while it lived: what it does beyond is no more bounded. */
  lapsed: boolean
  heldUntil: number
}

interface Disk {
  record: string | null
  readonly leases: Map<string, string>
  readonly bills: Map<string, UsageRecord>
}

export class LedgerWorld {
  now = NOON
  crashes = 0
  readonly disk: Disk = { record: null, leases: new Map(), bills: new Map() }
  readonly callers: WorldCaller[]
  #host: LedgerHost

  constructor() {
    this.callers = STREAMS.map((stream, index) => ({
      ask: ledgerAsk(`c${index}`, {
        stream,
        inputTokens: INPUT_TOKENS,
        maxOutputTokens: TOKENS,
        price: { input: 1, inputMost: 1, output: 10 },
        ttlMs: TTL_MS,
        limits: limits({ dayNanoUsd: BUDGET, maxConcurrent: MOST_AT_ONCE }),
      }),
      phase: 'idle',
      produced: 0,
      allowance: null,
      lapsed: false,
      heldUntil: 0,
    }))
    this.#host = this.#start()
  }

  #start(): LedgerHost {
    const { disk } = this
    const write = (): void => {
      this.#host.save()
      this.#host.saved()
    }
    return new LedgerHost({
      now: () => this.now,
      store: {
        load: () => ({
          record: disk.record === null ? null : JSON.parse(disk.record),
          leases: [...disk.leases.values()].map((lease) => JSON.parse(lease)),
          tokens: [],
        }),
        save: (ledger) => this.#save(ledger),
        hasCounted: (id) => disk.bills.has(id),
      },
      writer: { soon: () => {}, write, kept: async () => write() },
    })
  }

  #save(ledger: Ledger): void {
    const { disk } = this
    for (const id of ledger.unsaved.leases) {
      const lease = ledger.leases.get(id)
      if (lease === undefined) disk.leases.delete(id)
      else disk.leases.set(id, JSON.stringify(lease))
    }
    for (const [id, bill] of ledger.unsaved.usage) {
      expect(disk.bills.has(id), `${id} is billed twice`).toBe(false)
      disk.bills.set(id, bill)
    }
    if (ledger.unsaved.record) disk.record = JSON.stringify(toRecord(ledger))
  }

  mayDo(action: Action): boolean {
    switch (action.do) {
      case 'crash':
        return this.crashes === 0
      case 'pass':
        return true
      case 'write':
        return this.#host.hasUnsaved
      case 'ask':
      case 'ask_lost':
        return this.#caller(action.caller).phase === 'idle'
      case 'release':
        return this.#caller(action.caller).phase === 'asking'
      case 'settle_again':
        return this.#caller(action.caller).phase === 'untold'
      default:
        return this.#caller(action.caller).phase === 'running'
    }
  }

  act(action: Action): void {
    switch (action.do) {
      case 'pass':
        this.now += action.ms
        for (const caller of this.callers) {
          caller.lapsed ||= caller.phase === 'running' && this.now >= caller.heldUntil
        }
        return this.#host.advance()
      case 'write':
        this.#host.save()
        return this.#host.saved()
      case 'crash':
        this.crashes += 1
        this.#host = this.#start()
        return this.#host.advance()
      default:
        return this.#actOf(this.#caller(action.caller), action.do)
    }
  }

  #actOf(caller: WorldCaller, what: Exclude<Action['do'], 'pass' | 'write' | 'crash'>): void {
    switch (what) {
      case 'ask':
      case 'ask_lost':
        return this.#ask(caller, what === 'ask_lost')
      case 'release':
        this.#settle(caller, null, true)
        caller.phase = 'released'
        return
      case 'renew':
        return this.#renew(caller)
      case 'finish':
      case 'finish_lost':
        if (!caller.ask.stream) caller.produced = TOKENS
        this.#settle(caller, billOf(caller.ask, caller.produced, INPUT_TOKENS))
        caller.phase = what === 'finish' ? 'ended' : 'untold'
        return
      case 'settle_again':
        return this.#settle(caller, billOf(caller.ask, caller.produced, INPUT_TOKENS))
      case 'vanish':
        caller.phase = 'vanished'
    }
  }

  #ask(caller: WorldCaller, isLost: boolean): void {
    const answer = this.#host.reserve(caller.ask)
    if (answer.kind !== 'granted') {
      // Nothing was taken: with money left somebody runs, or every place is taken.
      if (answer.kind === 'busy') expect(this.#leases()).toBeGreaterThan(0)
      return
    }
    caller.phase = isLost ? 'asking' : 'running'
    caller.allowance = answer.allowanceNanoUsd
    caller.heldUntil = answer.expiresAt
  }

  /** A stream produces what it may, and asks how it goes on. */
  #renew(caller: WorldCaller): void {
    const { ask, allowance } = caller
    if (ask.stream) {
      const may = allowance === null ? TOKENS : Math.ceil((allowance - INPUT_TOKENS) / 10)
      caller.produced = Math.max(caller.produced, Math.min(TOKENS, may))
    }
    const progress = ask.stream ? billOf(ask, caller.produced, INPUT_TOKENS) : null
    const renewed = this.#host.renew({ ask, allowanceNanoUsd: allowance, progress })
    if (renewed.kind === 'stop') {
      this.#settle(caller, billOf(ask, caller.produced, INPUT_TOKENS))
      caller.phase = 'ended'
    } else if (renewed.kind === 'go') {
      caller.allowance = renewed.allowanceNanoUsd
      caller.heldUntil = renewed.expiresAt
    }
  }

  #settle({ ask }: WorldCaller, usage: UsageRecord | null, unused = false): void {
    void this.#host.settle([{ id: ask.id, usage, unused, tookMs: 10 }])
  }

  #caller(index: number): WorldCaller {
    const caller = this.callers[index]
    if (caller === undefined) throw new RangeError(`There is no caller ${index}`)
    return caller
  }

  #leases(): number {
    return this.#host.report(unlimited).running
  }

  /** Everyone ends who lives, and time passes over those who do not. */
  end(): void {
    for (const [caller, { phase }] of this.callers.entries()) {
      if (phase === 'running') this.act({ do: 'finish', caller })
      if (phase === 'asking') this.act({ do: 'release', caller })
      if (phase === 'untold') this.act({ do: 'settle_again', caller })
    }
    this.act({ do: 'pass', ms: 2 * TTL_MS })
    this.act({ do: 'write' })
  }

  /** While things go on. */
  check(): void {
    // A grant that is not written yet is forgotten by a crash.
    if (this.crashes === 0) expect(this.#leases()).toBeLessThanOrEqual(MOST_AT_ONCE)
  }

  /** After `end`. */
  checkBooks(): void {
    const costs = this.callers.map(({ ask, phase, produced }) => {
      const real = this.disk.bills.get(`${ask.id}.real`)?.costNanoUsd ?? 0
      const cost = (this.disk.bills.get(ask.id)?.costNanoUsd ?? 0) + real
      if (phase === 'ended' || phase === 'untold') {
        expect(cost, ask.id).toBe(billOf(ask, produced, INPUT_TOKENS).costNanoUsd)
      } else if (phase === 'vanished') expect(cost).toBeGreaterThan(0)
      else expect(cost).toBe(0)
      return cost
    })
    const sum = costs.reduce((total, cost) => total + cost, 0)
    const report = this.#host.report(unlimited)
    expect(report.spentDayNanoUsd).toBe(sum)
    expect(report.running).toBe(0)
    if (this.callers.some(({ lapsed }) => lapsed)) return
    expect(sum).toBeLessThanOrEqual(BUDGET + Math.max(...costs))
  }

  /** What tells two states apart, with times seen from now. */
  key(): string {
    const { leases, bills, record } = this.disk
    return JSON.stringify([
      this.callers.map((each) => [
        each.phase,
        each.produced,
        each.allowance,
        each.lapsed,
        each.heldUntil - this.now,
      ]),
      [...leases, ...bills.keys()],
      record,
      this.crashes,
      this.now - NOON,
      this.#host.hasUnsaved,
    ])
  }
}
