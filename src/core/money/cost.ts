// What an answer costs: cost = Σ tokens of a kind × its price, in whole nano-dollars. A model without a row is priced
// at the dearest, so that a budget holds, and marked as an estimate.
import type { Usage } from '../answering/usage.ts'
import type { CallPrice } from './ledger/words.ts'
import { type Price, PRICE_TABLE, type PriceRow } from './price-table.ts'

export interface CostOptions {
  /** Message Batches cost half. */
  readonly batch?: boolean
}

export interface Cost {
  readonly costNanoUsd: number
  /** What the same tokens would have cost without the prompt cache, less what they cost; negative where writes cost more than they saved. */
  readonly savedNanoUsd: number
  /** True where the model has no row of its own. */
  readonly estimated: boolean
}

export function costOf(model: string, usage: Usage, options: CostOptions = {}): Cost {
  const row = findRow(model)
  const price = priceOf(row ?? DEAREST, usage)
  const output = usage.outputTokens * nano(price.output)
  const costNanoUsd = discounted(
    output +
      usage.inputTokens * nano(price.input) +
      usage.cacheWrite5mTokens * nano(price.cacheWrite5m) +
      usage.cacheWrite1hTokens * nano(price.cacheWrite1h) +
      usage.cacheReadTokens * nano(price.cacheRead),
    usage,
    options,
  )
  const uncached = discounted(output + promptTokens(usage) * nano(price.input), usage, options)
  return { costNanoUsd, savedNanoUsd: uncached - costNanoUsd, estimated: row === null }
}

/** One dollar a million is 1,000 nano-dollars a token: whole, so that all that follows is whole too. */
const nano = (usdPerMillion: number): number => Math.round(usdPerMillion * 1000)

/** Inference held to the United States costs 1.1 times. A part of a nano-dollar is rounded up: never less than billed. */
function discounted(nanoUsd: number, { usOnly }: Usage, { batch = false }: CostOptions): number {
  return Math.ceil((nanoUsd * (usOnly ? 11 : 10)) / (batch ? 20 : 10))
}

/** What a token costs before it is known what it will be; of the dearest band that the prompt may fall into. */
export function callPriceOf(model: string, inputTokens: number): CallPrice {
  const row = findRow(model) ?? DEAREST
  const { longPrompt } = row
  // Our count of a prompt may be half of the real one.
  const isLong = longPrompt !== undefined && inputTokens * 2 > longPrompt.aboveTokens
  const { input, output, cacheWrite1h } = isLong ? longPrompt.price : row.price
  return {
    input: nano(input),
    inputMost: nano(Math.max(input, cacheWrite1h)),
    output: nano(output),
  }
}

const promptTokens = (usage: Usage): number =>
  usage.inputTokens + usage.cacheReadTokens + usage.cacheWrite5mTokens + usage.cacheWrite1hTokens

function priceOf(row: PriceRow, usage: Usage): Price {
  const { longPrompt } = row
  return longPrompt !== undefined && promptTokens(usage) > longPrompt.aboveTokens
    ? longPrompt.price
    : row.price
}

const DEAREST: PriceRow = PRICE_TABLE.reduce((a, b) => (b.price.output > a.price.output ? b : a))

/** As a cloud or a date writes it: `us.anthropic.claude-sonnet-4-5-20250929-v1:0`, `claude-haiku-4-5@20251001`. */
const SPELLING =
  /^(?:[a-z0-9.-]+\.)?claude-([a-z0-9-]+?)(?:[-@](?:\d{8}|latest))?(?:-v\d+(?::\d+)?)?$/

const MAX_NAME_CHARS = 128

function findRow(model: string): PriceRow | null {
  if (model.length > MAX_NAME_CHARS) return null
  const name = SPELLING.exec(model.toLowerCase())?.[1]
  return PRICE_TABLE.find((row) => name !== undefined && row.models.includes(name)) ?? null
}
