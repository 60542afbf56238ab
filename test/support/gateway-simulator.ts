// Reads the Claude simulator's journal over HTTP: what reached Claude, byte for byte, and what became of it.

export interface JournalEntry {
  readonly n: number
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body_sha256: string | null
  readonly body_base64?: string | null
  readonly request_id: string
  readonly org: string | null
  readonly tag: string | null
  readonly status: number | null
  readonly events: number
  readonly outcome: 'completed' | 'aborted' | 'faulted' | null
  readonly first_byte_at: number | null
  readonly aborted_at: number | null
}

export interface JournalQuery {
  readonly tag?: string
  readonly path?: string
  readonly outcome?: string
  /** `arrived`, `began` (a byte was written) or `finished`, the default. */
  readonly state?: 'arrived' | 'began' | 'finished'
  readonly count?: number
  readonly timeout_ms?: number
}

export interface SimulatorJournal {
  /** What has come so far, finished or not. */
  list(query: JournalQuery): Promise<JournalEntry[]>
  /** Waits until so many entries match. */
  wait(query: JournalQuery): Promise<JournalEntry[]>
  /** The one finished entry with this tag. */
  one(tag: string): Promise<JournalEntry>
}

export function journalAt(url: string): SimulatorJournal {
  const ask = async (path: string, query: JournalQuery): Promise<JournalEntry[]> => {
    const fields = Object.entries(query).map(([name, value]) => [name, String(value)])
    const search = new URLSearchParams([...fields, ['body', '1']]).toString()
    const response = await fetch(`${url}/__sim/journal${path}?${search}`)
    const { data } = (await response.json()) as { data: JournalEntry[] }
    return data
  }
  const wait = (query: JournalQuery) => ask('/wait', query)
  return {
    list: (query) => ask('', query),
    wait,
    async one(tag) {
      const [entry] = await wait({ tag, timeout_ms: 5_000 })
      if (entry === undefined) throw new Error(`Nothing with tag ${tag} has reached Claude`)
      return entry
    },
  }
}

export const headerOf = (entry: JournalEntry, name: string): string | undefined =>
  entry.headers.find(([given]) => given.toLowerCase() === name)?.[1]

export const bodyOf = (entry: JournalEntry): Record<string, unknown> =>
  JSON.parse(Buffer.from(entry.body_base64 ?? '', 'base64').toString()) as Record<string, unknown>

let lastTag = 0

/** A tag that no other test uses; sent as `anthropic-sim-tag` it reaches the journal through the gateway. */
export const newTag = (): string => `t${process.pid}-${Date.now().toString(36)}-${++lastTag}`
