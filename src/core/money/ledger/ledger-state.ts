// All that one tenant's ledger knows. The state belongs to its shell and the transitions update it in place, as a gate's
// do; they stay functions of (state, event, now) alone.
import type { UsageRecord } from '../usage-record.ts'
import type { Estimates } from './estimates.ts'
import type { PrefixWorths } from './prefix-worth.ts'
import { newTokenWindow, type TokenWindow } from './token-window.ts'
import type { LedgerAsk } from './words.ts'

/** A call that runs, or waits for an account: what it holds of its tenant's limits. */
export interface LedgerLease {
  readonly ask: LedgerAsk
  readonly grantedAt: number
  expiresAt: number
  /** Counted in the window of input tokens since it was granted. */
  readonly inputTokens: number
  /** Held until it is known what was produced. */
  readonly outputTokens: number
  /** The most that it may cost until it ends or is given more; 0: there is no budget. */
  holdNanoUsd: number
  /** The cost at which a stream has to ask again, at most its hold; null: never. Another call cannot be ended midway. */
  allowanceNanoUsd: number | null
  /** What it will hardly exceed, as far as the past tells; its hold where too little is known. */
  readonly boundNanoUsd: number
  /** What it is billed if nothing more is heard of it. */
  readonly likelyNanoUsd: number
  progress: UsageRecord | null
}

/** Nano-dollars by the number of their day or month. The former period stays: calls that began in it still end. */
export type Spending = Map<number, number>

export interface TokenUse {
  requests: number
  nanoUsd: number
  expiresAt: number
}

export interface LostCall {
  readonly at: number
  readonly billed: UsageRecord
  readonly token: string | null
}

export interface Ledger {
  readonly leases: Map<string, LedgerLease>
  readonly days: Spending
  readonly months: Spending
  readonly input: TokenWindow
  readonly output: TokenWindow
  readonly estimates: Estimates
  readonly prefixes: PrefixWorths
  /** Browser tokens that were used and may be used again. */
  readonly tokens: Map<string, TokenUse>
  /** Calls that were billed by estimate because nothing was heard of them: their real bill may still come. */
  readonly lost: Map<string, LostCall>
  /** Calls that have ended, oldest first: a word that comes twice changes nothing. */
  readonly ended: Map<string, number>
  /** Answers of `busy` within the last second: the more, the later each is told to ask again. */
  readonly busy: { since: number; count: number }
  /** Nothing expires before this moment. */
  nextExpiryAt: number
  /** What the shell has yet to write. */
  readonly unsaved: Unsaved
}

export interface Unsaved {
  record: boolean
  readonly leases: Set<string>
  readonly tokens: Set<string>
  /** By the id under which each is counted once. */
  readonly usage: Map<string, UsageRecord>
  /** Those of them that were billed because nothing was heard of their calls. */
  lost: UsageRecord[]
}

export const newLedger = (): Ledger => ({
  leases: new Map(),
  days: new Map(),
  months: new Map(),
  input: newTokenWindow(),
  output: newTokenWindow(),
  estimates: new Map(),
  prefixes: new Map(),
  tokens: new Map(),
  lost: new Map(),
  ended: new Map(),
  busy: { since: 0, count: 0 },
  nextExpiryAt: Infinity,
  unsaved: { record: false, leases: new Set(), tokens: new Set(), usage: new Map(), lost: [] },
})

export const hasUnsaved = ({ unsaved }: Ledger): boolean =>
  unsaved.record || unsaved.leases.size > 0 || unsaved.tokens.size > 0 || unsaved.usage.size > 0

export function clearUnsaved({ unsaved }: Ledger): void {
  unsaved.record = false
  unsaved.leases.clear()
  unsaved.tokens.clear()
  unsaved.usage.clear()
  unsaved.lost = []
}
