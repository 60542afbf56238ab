// The simulator's own books: how many calls each organization has open and had at most, and what was
// used. Tests hold a gateway's numbers against these.
import type { JsonObject } from './json.ts'
import type { InputUsage } from './prompt-cache.ts'

export class Gauge {
  #byOrg = new Map<string, { in_flight: number; max_in_flight: number }>()
  #total = { in_flight: 0, max_in_flight: 0 }

  inFlight(org: string): number {
    return this.#byOrg.get(org)?.in_flight ?? 0
  }

  enter(org: string): void {
    let own = this.#byOrg.get(org)
    if (own === undefined) {
      own = { in_flight: 0, max_in_flight: 0 }
      this.#byOrg.set(org, own)
    }
    for (const gauge of [own, this.#total]) {
      gauge.in_flight++
      gauge.max_in_flight = Math.max(gauge.max_in_flight, gauge.in_flight)
    }
  }

  leave(org: string): void {
    const own = this.#byOrg.get(org)
    if (own !== undefined) own.in_flight--
    this.#total.in_flight--
  }

  resetMax(): void {
    for (const gauge of [...this.#byOrg.values(), this.#total]) {
      gauge.max_in_flight = gauge.in_flight
    }
  }

  view(): JsonObject {
    return { total: { ...this.#total }, orgs: Object.fromEntries(this.#byOrg) }
  }
}

export interface UsageSum {
  requests: number
  input_tokens: number
  cache_creation_input_tokens: number
  cache_read_input_tokens: number
  output_tokens: number
}

export class UsageBook {
  #sums = new Map<string, { org: string; model: string; tier: string; sum: UsageSum }>()

  /** The sum that a request adds to; output is added as it is produced. */
  open(org: string, model: string, options: { usage: InputUsage; tier: string }): UsageSum {
    const key = `${org}|${model}|${options.tier}`
    let row = this.#sums.get(key)
    if (row === undefined) {
      const sum = {
        requests: 0,
        input_tokens: 0,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
        output_tokens: 0,
      }
      row = { org, model, tier: options.tier, sum }
      this.#sums.set(key, row)
    }
    row.sum.requests++
    row.sum.input_tokens += options.usage.input_tokens
    row.sum.cache_creation_input_tokens += options.usage.cache_creation_input_tokens
    row.sum.cache_read_input_tokens += options.usage.cache_read_input_tokens
    return row.sum
  }

  clear(): void {
    this.#sums.clear()
  }

  view(): JsonObject {
    const data = [...this.#sums.values()].map(({ org, model, tier, sum }) => ({
      org,
      model,
      service_tier: tier,
      ...sum,
    }))
    return { data }
  }
}
