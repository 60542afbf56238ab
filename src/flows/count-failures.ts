// Wrong keys and tokens, counted by address in this isolate: no store is asked for what a guesser sends. Above the limit
// an address is suspect: what it names is then looked for in memory only, so that guesses read no database, and keys that
// are known go on, whoever shares their address.
import { addressCounter } from '../core/limits/address-counter.ts'
import { BoundedMap } from '../core/limits/bounded-map.ts'
import { takeFromWindows, type WindowLog, type WindowRule } from '../core/limits/sliding-window.ts'

export interface FailureCounts {
  /** How long an address is suspect yet; null: it is not. */
  suspectForMs(address: string | null): number | null
  note(address: string | null): void
}

const MOST_ADDRESSES = 10_000
const MINUTE_MS = 60_000

export function createFailureCounts(perMinute: number | null, now: () => number): FailureCounts {
  const logs = new BoundedMap<WindowLog>(MOST_ADDRESSES)
  const rules: readonly WindowRule[] = [
    { name: 'address', limit: perMinute ?? Infinity, windowMs: MINUTE_MS },
  ]
  const countedAs = (address: string | null) =>
    perMinute === null ? null : addressCounter(address)
  const step = (counter: string) => takeFromWindows([logs.get(counter) ?? []], rules, now())
  return {
    suspectForMs(address) {
      // Nobody failed yet: the usual case costs nothing.
      const counter = logs.size === 0 ? null : countedAs(address)
      if (counter === null || logs.get(counter) === undefined) return null
      const { admitted, retryAfterMs } = step(counter).outcome
      return admitted ? null : retryAfterMs
    },
    note(address) {
      const counter = countedAs(address)
      if (counter !== null) logs.set(counter, step(counter).logs[0] ?? [])
    },
  }
}
