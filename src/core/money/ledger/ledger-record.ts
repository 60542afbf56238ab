// What of a ledger outlives its shell, as plain JSON, beside its leases and browser tokens, which have rows of their own.
import {
  type Ledger,
  type LedgerLease,
  type LostCall,
  newLedger,
  type TokenUse,
} from './ledger-state.ts'
import type { Estimate } from './estimates.ts'
import type { PrefixWorth } from './prefix-worth.ts'
import type { TokenWindow } from './token-window.ts'

const VERSION = 1

type Entries<T> = readonly (readonly [string, T])[]

export interface LedgerRecord {
  readonly version: number
  readonly days: readonly (readonly [number, number])[]
  readonly months: readonly (readonly [number, number])[]
  readonly input: TokenWindow
  readonly output: TokenWindow
  readonly estimates: Entries<Estimate>
  /** Absent in what was written before there were any. */
  readonly prefixes?: Entries<PrefixWorth>
  readonly lost: Entries<LostCall>
}

export interface StoredLedger {
  readonly record: LedgerRecord | null
  readonly leases: readonly LedgerLease[]
  readonly tokens: Entries<TokenUse>
}

export const toRecord = (ledger: Ledger): LedgerRecord => ({
  version: VERSION,
  days: [...ledger.days],
  months: [...ledger.months],
  input: ledger.input,
  output: ledger.output,
  estimates: [...ledger.estimates],
  prefixes: [...ledger.prefixes],
  lost: [...ledger.lost],
})

export function restoreLedger({ record, leases, tokens }: StoredLedger): Ledger {
  const ledger = newLedger()
  for (const lease of leases) ledger.leases.set(lease.ask.id, lease)
  for (const [id, use] of tokens) ledger.tokens.set(id, use)
  // Whatever is due is found at the first event.
  ledger.nextExpiryAt = 0
  if (record === null) return ledger
  if (record.version !== VERSION) {
    throw new RangeError(`Cannot read a ledger of version ${record.version}: expected ${VERSION}`)
  }
  for (const [period, nanoUsd] of record.days) ledger.days.set(period, nanoUsd)
  for (const [period, nanoUsd] of record.months) ledger.months.set(period, nanoUsd)
  for (const [name, estimate] of record.estimates) ledger.estimates.set(name, estimate)
  for (const [model, worth] of record.prefixes ?? []) ledger.prefixes.set(model, worth)
  for (const [id, call] of record.lost) ledger.lost.set(id, call)
  Object.assign(ledger.input, record.input)
  Object.assign(ledger.output, record.output)
  return ledger
}
