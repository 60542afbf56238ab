// The keyspace: typed values with expiry. Keys past their time are removed when they are met and by a bounded
// sweep; each removal is told to the journal, so that a replay (which expires nothing) arrives at the same state.
import { wrongType } from './reply.ts'
import { SortedSet } from './sorted-set.ts'

export interface Stored {
  string: string
  hash: Map<string, string>
  list: string[]
  set: Set<string>
  zset: SortedSet
}

export type Kind = keyof Stored

export type Value = { [K in Kind]: { readonly kind: K; data: Stored[K] } }[Kind]

export interface Entry {
  value: Value
  expiresAt: number | null
  /** Rises with each new key, so that it can serve as a SCAN cursor. */
  readonly sequence: number
}

export interface ScanPage {
  readonly keys: string[]
  /** Where to go on; 0 at the end. */
  readonly next: number
}

export class Database {
  /** The time of the running command; minus infinity while the journal is replayed. */
  now = Number.NEGATIVE_INFINITY
  /** Counts changes, by which the engine sees whether a command has to be journaled. */
  changes = 0
  readonly #entries = new Map<string, Entry>()
  readonly #expiring = new Set<string>()
  readonly #onExpired: (key: string) => void
  #sequence = 0
  #sweeper = this.#expiring.values()
  /** Live iterators of running scans by cursor: resuming one is free, losing one costs a walk. */
  readonly #scans = new Map<number, MapIterator<[string, Entry]>>()

  constructor(onExpired: (key: string) => void) {
    this.#onExpired = onExpired
  }

  get size(): number {
    return this.#entries.size
  }

  touch(): void {
    this.changes++
  }

  find(key: string): Entry | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.expiresAt === null || entry.expiresAt > this.now) return entry
    this.#expire(key)
    return undefined
  }

  /** The data under a key if it is of that kind, undefined if there is none; refuses another kind. */
  read<K extends Kind>(key: string, kind: K): Stored[K] | undefined {
    const value = this.find(key)?.value
    if (value === undefined) return undefined
    if (value.kind !== kind) throw wrongType()
    return value.data as Stored[K]
  }

  /** As `read`, but an absent key is created with the given empty data. */
  open<K extends Kind>(key: string, kind: K, make: () => Stored[K]): Stored[K] {
    const present = this.read(key, kind)
    if (present !== undefined) return present
    const data = make()
    this.put(key, { kind, data } as Value)
    return data
  }

  /** Stores a value under the key; the expiry is dropped unless one is given. */
  put(key: string, value: Value, expiresAt: number | null = null): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) {
      this.#entries.set(key, { value, expiresAt: null, sequence: ++this.#sequence })
    } else entry.value = value
    this.expireAt(key, expiresAt)
    this.touch()
  }

  expireAt(key: string, expiresAt: number | null): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    entry.expiresAt = expiresAt
    if (expiresAt === null) this.#expiring.delete(key)
    else this.#expiring.add(key)
    this.touch()
  }

  delete(key: string): boolean {
    if (this.find(key) === undefined) return false
    this.#remove(key)
    this.touch()
    return true
  }

  /** Collections never stay empty. */
  dropIfEmpty(key: string): void {
    const value = this.#entries.get(key)?.value
    if (value === undefined || value.kind === 'string') return
    const size = value.kind === 'list' ? value.data.length : value.data.size
    if (size === 0) this.delete(key)
  }

  clear(): void {
    this.#entries.clear()
    this.#expiring.clear()
    this.#scans.clear()
    this.touch()
  }

  keys(): string[] {
    return [...this.#entries.keys()].filter((key) => this.find(key) !== undefined)
  }

  *live(): Generator<readonly [string, Entry]> {
    for (const [key, entry] of this.#entries) {
      if (entry.expiresAt === null || entry.expiresAt > this.now) yield [key, entry]
    }
  }

  /** Up to `count` keys after the cursor. A key that stays is met, whatever is added or removed meanwhile. */
  scan(cursor: number, count: number): ScanPage {
    const iterator = this.#resume(cursor)
    const keys: string[] = []
    let last = cursor
    for (let seen = 0; seen < count; seen++) {
      const step = iterator.next()
      if (step.done === true) return { keys, next: 0 }
      last = step.value[1].sequence
      if (this.find(step.value[0]) !== undefined) keys.push(step.value[0])
    }
    this.#remember(last, iterator)
    return { keys, next: last }
  }

  /** Removes expired keys among the next `budget` keys that have an expiry. */
  sweep(budget: number): void {
    for (let seen = 0; seen < budget; seen++) {
      const step = this.#sweeper.next()
      if (step.done === true) {
        this.#sweeper = this.#expiring.values()
        return
      }
      this.find(step.value)
    }
  }

  #resume(cursor: number): MapIterator<[string, Entry]> {
    const running = this.#scans.get(cursor)
    if (running !== undefined) {
      this.#scans.delete(cursor)
      return running
    }
    let passed = this.#entries.entries()
    if (cursor === 0) return passed
    // Insertion order is sequence order: find how many lie before the cursor, then stop just there.
    let before = 0
    for (const entry of this.#entries.values()) {
      if (entry.sequence > cursor) break
      before++
    }
    passed = this.#entries.entries()
    for (let step = 0; step < before; step++) passed.next()
    return passed
  }

  #remember(cursor: number, iterator: MapIterator<[string, Entry]>): void {
    this.#scans.set(cursor, iterator)
    if (this.#scans.size <= 64) return
    const oldest = this.#scans.keys().next()
    if (oldest.done !== true) this.#scans.delete(oldest.value)
  }

  #expire(key: string): void {
    this.#remove(key)
    this.#onExpired(key)
  }

  #remove(key: string): void {
    this.#entries.delete(key)
    this.#expiring.delete(key)
  }
}
