// What an answer costs: cost = Σ tokens of a kind × its price, in whole nano-dollars. A model without a row is priced
// at the dearest, so that a budget holds, and marked as an estimate.
import type { Usage } from '../answering/usage.ts'
import { type Price, PRICE_TABLE, type PriceRow } from './price-table.ts'

export interface CostOptions {
  /** Message Batches cost half. */
  readonly batch?: boolean
  /** Inference held to the United States costs 1.1 times. */
  readonly usOnly?: boolean
}

export interface Cost {
  readonly costNanoUsd: number
  /** What the same tokens would have cost without the prompt cache, less what they cost; negative where writes cost more than they saved. */
  readonly savedNanoUsd: number
  /** True where the model has no row of its own. */
  readonly estimated: boolean
}

const NANO_USD_PER_USD_A_MILLION = 1_000

export function costOf(model: string, usage: Usage, options: CostOptions = {}): Cost {
  const row = findRow(model)
  const price = priceOf(row ?? dearest, usage)
  const uncachedInput =
    usage.inputTokens +
    usage.cacheReadTokens +
    usage.cacheWrite5mTokens +
    usage.cacheWrite1hTokens
  const factor = (options.batch === true ? 0.5 : 1) * (options.usOnly === true ? 1.1 : 1)
  const costNanoUsd = nano(
    factor *
      (usage.inputTokens * price.input +
        usage.outputTokens * price.output +
        usage.cacheWrite5mTokens * price.cacheWrite5m +
        usage.cacheWrite1hTokens * price.cacheWrite1h +
        usage.cacheReadTokens * price.cacheRead),
  )
  const uncached = nano(factor * (uncachedInput * price.input + usage.outputTokens * price.output))
  return {
    costNanoUsd,
    savedNanoUsd: uncached - costNanoUsd,
    estimated: row === null,
  }
}

/** Rounded once, at the end: the sum of products of whole tokens and table prices is exact far below a nano-dollar. */
const nano = (usdPerMillion: number): number =>
  Math.round(usdPerMillion * NANO_USD_PER_USD_A_MILLION)

function priceOf(row: PriceRow, usage: Usage): Price {
  const promptTokens =
    usage.inputTokens +
    usage.cacheReadTokens +
    usage.cacheWrite5mTokens +
    usage.cacheWrite1hTokens
  const { longPrompt } = row
  return longPrompt !== undefined && promptTokens > longPrompt.aboveTokens
    ? longPrompt.price
    : row.price
}

const dearest: PriceRow = PRICE_TABLE.reduce((a, b) => (b.price.output > a.price.output ? b : a))

/** `claude-sonnet-4-5-20250929`, `claude-sonnet-4-5` and a region's prefix before either name the same row. */
function findRow(model: string): PriceRow | null {
  const name = model
    .toLowerCase()
    .replace(/^.*claude-/, '')
    .replace(/-(\d{8}|latest|v\d.*)$/, '')
  return PRICE_TABLE.find((row) => row.models.includes(name)) ?? null
}
