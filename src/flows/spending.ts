// A running stream and its tenant's money: it asks for more before it needs it, and ends where there is none. The
// ledger is asked while bytes flow; only a stream that has come to its allowance waits for the answer.
import { refusalOfTenant, toldLimit } from '../core/answering/tenant-refusal.ts'
import type { GatewayError } from '../core/errors.ts'
import { callPriceOf } from '../core/money/cost.ts'
import { mostNanoUsd } from '../core/money/ledger/reserve.ts'
import { ledgerUnavailable } from './judge-tenant.ts'
import type { Meter } from './meter.ts'
import type { Tab } from './tab.ts'

// An early word for less than this is not worth its way.
const LEAST_EARLY_TOKENS = 16
// Some inference has its own price, a tenth above.
const DEAREST = 1.1
// Without its ledger a stream at the end of its allowance waits for so many answers, and not for ever.
const TRIES = 3
const RETRY_MS = 250

/** Null: the stream draws from no budget, and is never looked at. */
export const spendingOf = (tab: Tab | null, meter: Meter, now: () => number): Spending | null =>
  tab === null || tab.allowanceNanoUsd === null ? null : new Spending(tab, meter, now)

export class Spending {
  readonly #tab: Tab
  readonly #meter: Meter
  readonly #now: () => number
  readonly #mostNanoUsd: number
  #lookAtTokens = 0
  /** The cost at which more is asked for, ahead of need; null: to be found, Infinity: it has been asked for. */
  #askAtNanoUsd: number | null = null

  constructor(tab: Tab, meter: Meter, now: () => number) {
    this.#tab = tab
    this.#meter = meter
    this.#now = now
    this.#mostNanoUsd = mostNanoUsd(tab.ask)
    tab.onAnswer = () => {
      this.#askAtNanoUsd = null
      this.#lookAtTokens = 0
    }
  }

  /** Whether so much was produced that the money must be looked at. */
  get isDue(): boolean {
    return this.#meter.outputTokens >= this.#lookAtTokens && !this.#meter.isComplete
  }

  /** Null: go on. Else why the stream ends here. */
  async look(): Promise<GatewayError | null> {
    for (let failed = 0; failed < TRIES; failed += 1) {
      for (;;) {
        const verdict = this.#judge()
        if (verdict !== 'ask') return verdict
        const { kind } = await this.#tab.renew()
        if (kind !== 'go' && kind !== 'stop') break
      }
      await sleep(RETRY_MS)
    }
    return ledgerUnavailable()
  }

  #judge(): GatewayError | null | 'ask' {
    const { refusals, allowanceNanoUsd } = this.#tab
    if (refusals !== null) return refusalOfTenant(refusals.map(toldLimit), this.#now())
    const allowance = allowanceNanoUsd ?? Infinity
    if (allowance >= this.#mostNanoUsd) {
      // It holds all that it can spend. What we count may be more than that, since tokens are guessed from bytes until the end.
      this.#lookAtTokens = Infinity
      return null
    }
    const cost = this.#tab.progress()?.costNanoUsd ?? 0
    if (cost >= allowance) return 'ask'
    this.#askAtNanoUsd ??= this.#askAt(cost, allowance)
    if (cost >= this.#askAtNanoUsd) {
      this.#askAtNanoUsd = Infinity
      void this.#tab.renew()
    }
    const next = Math.min(this.#askAtNanoUsd, allowance)
    this.#lookAtTokens = this.#meter.outputTokens + Math.max(1, this.#tokensFor(next - cost))
    return null
  }

  /** Halfway, where that is worth a call. */
  #askAt(cost: number, allowance: number): number {
    const half = (allowance - cost) / 2
    return this.#tokensFor(half) >= LEAST_EARLY_TOKENS ? cost + half : Infinity
  }

  /** How many are sure to cost no more. */
  #tokensFor(nanoUsd: number): number {
    const { model, inputTokens } = this.#tab.ask
    const { output } = callPriceOf(this.#meter.model ?? model, inputTokens)
    return Math.floor(nanoUsd / (output * DEAREST))
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
