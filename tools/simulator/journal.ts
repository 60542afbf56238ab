// What came and what became of it. A bounded ring of entries; a test waits for one that matches
// instead of sleeping.
import type { JsonObject } from './json.ts'
import type { InputUsage } from './prompt-cache.ts'

export type Outcome = 'completed' | 'aborted' | 'faulted'

export interface JournalEntry {
  n: number
  at: number
  method: string
  path: string
  query: string
  rawHeaders: readonly string[]
  body_sha256: string | null
  body_bytes: number
  body: Buffer | null
  request_id: string
  org: string | null
  workspace: string | null
  model: string | null
  stream: boolean
  tag: string | null
  fault: string | null
  status: number | null
  message_id: string | null
  events: number
  tokens: number
  bytes: number
  usage: InputUsage | null
  outcome: Outcome | null
  first_byte_at: number | null
  aborted_at: number | null
  finished_at: number | null
}

export interface JournalFilter {
  since?: number | undefined
  org?: string | undefined
  tag?: string | undefined
  model?: string | undefined
  path?: string | undefined
  outcome?: string | undefined
  status?: number | undefined
  /** `arrived` once read, `began` once a byte was written, `finished` (the default) at the end. */
  state?: string | undefined
}

interface Waiter {
  filter: JournalFilter
  count: number
  found: Set<JournalEntry>
  done: () => void
}

const DEFAULT_WAIT_MS = 5_000
const SECRETS: ReadonlySet<string> = new Set(['x-api-key', 'authorization'])

export class Journal {
  #ring: (JournalEntry | undefined)[]
  #first = 0
  #last = 0
  #waiters = new Set<Waiter>()

  constructor(size: number) {
    this.#ring = Array.from({ length: size })
  }

  get length(): number {
    return Math.min(this.#last - this.#first, this.#ring.length)
  }

  add(entry: JournalEntry): void {
    this.#ring[this.#last % this.#ring.length] = entry
    this.#last++
    this.changed(entry)
  }

  clear(): void {
    this.#first = this.#last
    this.#ring.fill(undefined)
  }

  /** Oldest first. */
  list(filter: JournalFilter = {}, limit = Number.POSITIVE_INFINITY): JournalEntry[] {
    const found: JournalEntry[] = []
    const start = Math.max(this.#first, this.#last - this.#ring.length)
    for (let at = start; at < this.#last && found.length < limit; at++) {
      const entry = this.#ring[at % this.#ring.length]
      if (entry !== undefined && matches(entry, filter)) found.push(entry)
    }
    return found
  }

  /** Resolves once `count` entries match, or with what there is when the time is over. */
  wait(
    filter: JournalFilter,
    options: { count?: number; timeoutMs?: number } = {},
  ): Promise<JournalEntry[]> {
    const count = options.count ?? 1
    const wanted = { ...filter, state: filter.state ?? 'finished' }
    const found = new Set(this.list(wanted))
    if (found.size >= count) return Promise.resolve([...found])
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.#waiters.delete(waiter)
        resolve([...found])
      }
      const timer = setTimeout(done, options.timeoutMs ?? DEFAULT_WAIT_MS)
      const waiter: Waiter = { filter: wanted, count, found, done }
      this.#waiters.add(waiter)
    })
  }

  /** Called at each step of an entry's life. What matched once goes on matching. */
  changed(entry: JournalEntry): void {
    if (this.#waiters.size === 0) return
    for (const waiter of this.#waiters) {
      if (!matches(entry, waiter.filter)) continue
      waiter.found.add(entry)
      if (waiter.found.size >= waiter.count) waiter.done()
    }
  }
}

function matches(entry: JournalEntry, filter: JournalFilter): boolean {
  if (filter.since !== undefined && entry.n <= filter.since) return false
  if (filter.org !== undefined && entry.org !== filter.org) return false
  if (filter.tag !== undefined && entry.tag !== filter.tag) return false
  if (filter.model !== undefined && entry.model !== filter.model) return false
  if (filter.path !== undefined && !entry.path.startsWith(filter.path)) return false
  if (filter.outcome !== undefined && entry.outcome !== filter.outcome) return false
  if (filter.status !== undefined && entry.status !== filter.status) return false
  if (filter.state === 'finished') return entry.finished_at !== null
  if (filter.state === 'began') return entry.first_byte_at !== null
  return true
}

/** An entry as it is shown: credentials cut to their last four characters, header names kept. */
export function showEntry(entry: JournalEntry, withBody = false): JsonObject {
  const { rawHeaders, body, ...rest } = entry
  const headers: [string, string][] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    const value = rawHeaders[i + 1] ?? ''
    headers.push([name, SECRETS.has(name.toLowerCase()) ? `***${value.slice(-4)}` : value])
  }
  const shown = { ...rest, headers }
  return withBody ? { ...shown, body_base64: body?.toString('base64') ?? null } : shown
}
