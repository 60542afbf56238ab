// Claude's prices as of the date below, in US dollars a million tokens (Claude's docs, "Pricing"): a table, not code.
// One dollar a million is 1,000 nano-dollars a token, so every price here is a whole number of nano-dollars.

export const PRICES_AS_OF = '2026-11-01'

export interface Price {
  readonly input: number
  readonly output: number
  readonly cacheWrite5m: number
  readonly cacheWrite1h: number
  readonly cacheRead: number
}

export interface PriceRow {
  /** Names without the `claude-` prefix and without a date suffix. */
  readonly models: readonly string[]
  readonly price: Price
  /** Prompts above this many tokens, cached ones included, have their own price. */
  readonly longPrompt?: { readonly aboveTokens: number; readonly price: Price }
}

const price = (
  [input, output]: readonly [number, number],
  [cacheWrite5m, cacheWrite1h]: readonly [number, number],
  cacheRead: number,
): Price => ({ input, output, cacheWrite5m, cacheWrite1h, cacheRead })

export const PRICE_TABLE: readonly PriceRow[] = [
  { models: ['fable-5-2'], price: price([8, 40], [10, 16], 0.2) },
  { models: ['fable-5-1'], price: price([10, 50], [12.5, 20], 0.25) },
  { models: ['opus-5-5'], price: price([4, 20], [5, 8], 0.2) },
  {
    models: ['opus-5', 'opus-4-8', 'opus-4-7', 'opus-4-6', 'opus-4-5'],
    price: price([5, 25], [6.25, 10], 0.5),
  },
  { models: ['sonnet-5-5'], price: price([2, 10], [2.5, 4], 0.1) },
  { models: ['sonnet-5'], price: price([2, 10], [2.5, 4], 0.2) },
  { models: ['sonnet-4-6', 'sonnet-4-5'], price: price([3, 15], [3.75, 6], 0.3) },
  {
    models: ['haiku-5-5'],
    price: price([0.1, 0.5], [0.125, 0.2], 0.01),
    longPrompt: { aboveTokens: 100_000, price: price([0.5, 2.5], [0.625, 1], 0.05) },
  },
  { models: ['haiku-4-5'], price: price([1, 5], [1.25, 2], 0.1) },
]
