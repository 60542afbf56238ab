// What Claude would bill for what the simulator's journal says was used: prices of November 2026, read off Claude's
// page by hand, so that the gateway's own table is held against another.

export interface JournalUsage {
  readonly input_tokens: number
  readonly cache_creation_input_tokens: number
  readonly cache_read_input_tokens: number
  readonly cache_creation: {
    readonly ephemeral_5m_input_tokens: number
    readonly ephemeral_1h_input_tokens: number
  }
}

export interface JournalCall {
  readonly model: string | null
  /** Produced. */
  readonly tokens: number
  readonly usage: JournalUsage | null
}

interface Bill {
  readonly requests: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cache_write_tokens: number
  readonly cache_read_tokens: number
  readonly cost_nano_usd: number
  readonly saved_nano_usd: number
}

/** Nano-dollars a token: input, output, write for 5 minutes, for an hour, read. */
type Prices = readonly [number, number, number, number, number]

const PRICES: Readonly<Record<string, Prices>> = {
  'claude-opus-5': [5_000, 25_000, 6_250, 10_000, 500],
  'claude-sonnet-5-5': [2_000, 10_000, 2_500, 4_000, 100],
  'claude-haiku-5-5': [100, 500, 125, 200, 10],
  'claude-haiku-4-5': [1_000, 5_000, 1_250, 2_000, 100],
}
const HAIKU_ABOVE_100K: Prices = [500, 2_500, 625, 1_000, 50]

export const NOTHING: Bill = {
  requests: 0,
  input_tokens: 0,
  output_tokens: 0,
  cache_write_tokens: 0,
  cache_read_tokens: 0,
  cost_nano_usd: 0,
  saved_nano_usd: 0,
}

export function billOf({ model, tokens, usage }: JournalCall): Bill {
  if (usage === null) throw new Error('This call has used nothing')
  const { input_tokens: fresh, cache_read_input_tokens: read } = usage
  const { ephemeral_5m_input_tokens: minutes, ephemeral_1h_input_tokens: hour } =
    usage.cache_creation
  const prompt = fresh + read + minutes + hour
  const [input, output, write5m, write1h, cached] = pricesOf(model, prompt)
  const cost = fresh * input + tokens * output + minutes * write5m + hour * write1h + read * cached
  return {
    requests: 1,
    input_tokens: fresh,
    output_tokens: tokens,
    cache_write_tokens: minutes + hour,
    cache_read_tokens: read,
    cost_nano_usd: cost,
    saved_nano_usd: prompt * input + tokens * output - cost,
  }
}

function pricesOf(model: string | null, promptTokens: number): Prices {
  const prices = PRICES[model ?? '']
  if (prices === undefined) throw new Error(`No price is written down for ${model}`)
  return model === 'claude-haiku-5-5' && promptTokens > 100_000 ? HAIKU_ABOVE_100K : prices
}

export const sumOf = (bills: readonly Bill[]): Bill =>
  bills.reduce(
    (sum, bill) => ({
      requests: sum.requests + bill.requests,
      input_tokens: sum.input_tokens + bill.input_tokens,
      output_tokens: sum.output_tokens + bill.output_tokens,
      cache_write_tokens: sum.cache_write_tokens + bill.cache_write_tokens,
      cache_read_tokens: sum.cache_read_tokens + bill.cache_read_tokens,
      cost_nano_usd: sum.cost_nano_usd + bill.cost_nano_usd,
      saved_nano_usd: sum.saved_nano_usd + bill.saved_nano_usd,
    }),
    NOTHING,
  )

export interface ShownRow extends Omit<Bill, 'cost_nano_usd' | 'saved_nano_usd'> {
  readonly tenant: string
  readonly day?: string
  readonly model?: string
  readonly key?: string
  readonly user?: string
  readonly cost_usd: number
  readonly saved_usd: number
}

/** A row of the gateway's in the same words. Dollars come as JSON numbers: whole nano-dollars survive that. */
export const shownBill = (row: ShownRow): Bill => ({
  requests: row.requests,
  input_tokens: row.input_tokens,
  output_tokens: row.output_tokens,
  cache_write_tokens: row.cache_write_tokens,
  cache_read_tokens: row.cache_read_tokens,
  cost_nano_usd: Math.round(row.cost_usd * 1e9),
  saved_nano_usd: Math.round(row.saved_usd * 1e9),
})
