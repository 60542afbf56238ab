// Which prefixes calls of this isolate are having Claude keep just now, and which it keeps already. An entry can be
// read only once the answer of the call that writes it has begun, so others with the same prefix had better wait until
// then. What is not known here costs what it would have cost anyway.
import { isLong, type MarkedPrefix } from '../core/answering/marked-prefixes.ts'
import { BoundedMap } from '../core/limits/bounded-map.ts'
import type { AccountGates } from '../ports.ts'

/** Claude's own shortest life of an entry; each use begins it anew. */
const KEPT_MS = 300_000
const MOST_KEPT = 10_000

interface Writing {
  readonly bytes: number
  /** From then on nobody waits for it: its answer has begun unheard, or never will. */
  readonly until: number
  readonly over: Promise<void>
}

/** What a call waits for. */
export interface Awaited {
  readonly over: Promise<void>
  readonly until: number
}

/** One call's word that it writes these prefixes. Its end is said once; what follows does nothing. */
export interface PrefixClaim {
  /** Its answer has begun on this account: whoever waits may read. */
  begun(account: string, now: number): void
  /** There is no answer: the next one may write. */
  ended(): void
}

/** A call's prefixes, shortest first, and the account that is asked for it first. */
export interface PrefixAsk {
  readonly account: string
  readonly model: string
  readonly prefixes: readonly MarkedPrefix[]
}

export class PrefixWrites {
  /** Until when, in the order of their last use. */
  readonly #kept = new BoundedMap<number>(MOST_KEPT)
  readonly #writing = new Map<string, Writing>()

  /** What another call writes for this one; null: nothing that is worth waiting for. */
  awaited({ account, model, prefixes }: PrefixAsk, now: number): Awaited | null {
    const writing = prefixes
      .map(({ id }) => this.#writing.get(keyOf(account, id)))
      .findLast((each) => each !== undefined && each.until > now)
    if (writing === undefined) return null
    const kept = prefixes.findLast(({ id }) => this.#isKept(keyOf(account, id), now))
    return isLong(writing.bytes - (kept?.bytes ?? 0), model) ? writing : null
  }

  /** For those that nobody else writes, and that are not kept as far as is known here. */
  claim({ account, prefixes }: PrefixAsk, now: number, waitMs: number): PrefixClaim {
    const { promise: over, resolve } = Promise.withResolvers<void>()
    const own = new Map<string, Writing>()
    for (const { id, bytes } of prefixes) {
      const key = keyOf(account, id)
      const isTaken = (this.#writing.get(key)?.until ?? 0) > now
      if (!isTaken && !this.#isKept(key, now)) own.set(key, { bytes, until: now + waitMs, over })
    }
    for (const [key, writing] of own) this.#writing.set(key, writing)
    const ended = (): void => {
      for (const [key, writing] of own) {
        if (this.#writing.get(key) === writing) this.#writing.delete(key)
      }
      own.clear()
      resolve()
    }
    const keep = (at: string, until: number): void => {
      for (const { id } of prefixes) this.#kept.set(keyOf(at, id), until)
    }
    let hasBegun = false
    return {
      begun: (at, beganAt) => {
        if (hasBegun) return
        hasBegun = true
        keep(account, beganAt + KEPT_MS)
        // Where the claimed account was full, those that waited for it will find their way to the other one.
        if (at !== account) keep(at, beganAt + KEPT_MS)
        ended()
      },
      ended,
    }
  }

  #isKept(key: string, now: number): boolean {
    return (this.#kept.get(key) ?? 0) > now
  }
}

const keyOf = (account: string, id: string): string => `${account} ${id}`

/** One for each house: its gates stand for it. */
const known = new WeakMap<AccountGates, PrefixWrites>()

export function prefixWritesOf({ gates }: { readonly gates: AccountGates }): PrefixWrites {
  const own = known.get(gates) ?? new PrefixWrites()
  known.set(gates, own)
  return own
}
