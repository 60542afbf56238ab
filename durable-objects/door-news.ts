// Tells the operator when an account's doors open and close. The timeline is the truth; how far it was told is kept beside
// it, so that nothing is skipped by a crash, and what is told twice is one event.
import { doorEvent } from '../src/core/webhooks/event.ts'
import type { NumberedEntry } from '../src/core/admission/timeline.ts'
import type { Webhooks } from '../src/ports/webhooks.ts'
import type { Migration, SchemaStorage } from './migrate.ts'

/** What happened before there was anybody to tell is not told. */
export const DOOR_NEWS_MIGRATION: Migration = {
  id: 'door_news_001',
  sql: `
    CREATE TABLE door_news (id INTEGER PRIMARY KEY CHECK (id = 1), told INTEGER NOT NULL);
    INSERT INTO door_news SELECT 1, coalesce(max(seq), 0) FROM timeline;`,
}

// A type, not an interface: SqlStorage asks for an index signature.
type Row = { -readonly [Column in keyof NumberedEntry]: NumberedEntry[Column] }

export interface DoorNewsOptions {
  readonly storage: SchemaStorage
  readonly account: string
  readonly webhooks: Pick<Webhooks, 'tell'>
  readonly now: () => number
}

/** Older than that it is history: it was not told while nobody was to be told. */
const NEWS_MS = 3_600_000

export class DoorNews {
  readonly #options: DoorNewsOptions
  #telling: Promise<void> | null = null

  constructor(options: DoorNewsOptions) {
    this.#options = options
  }

  hasNews(): boolean {
    return this.#untold(1).length > 0
  }

  /** Resolves once all of it is told; rejects where somebody could not be reached. */
  tell(): Promise<void> {
    this.#telling ??= this.#tellAll().finally(() => {
      this.#telling = null
    })
    return this.#telling
  }

  async #tellAll(): Promise<void> {
    const { storage, account, webhooks, now } = this.#options
    for (;;) {
      const entries = this.#untold(100)
      if (entries.length === 0) return
      for (const entry of entries) {
        const event = doorEvent(account, entry.seq, entry)
        const isNews = entry.at > now() - NEWS_MS
        if (event !== null && isNews) await webhooks.tell(event)
        storage.sql.exec('UPDATE door_news SET told = max(told, ?)', entry.seq)
      }
    }
  }

  #untold(limit: number): readonly NumberedEntry[] {
    return this.#options.storage.sql
      .exec<Row>(
        `SELECT seq, at, kind, modelClass, "from", "to", cause FROM timeline
         WHERE seq > (SELECT told FROM door_news) ORDER BY seq LIMIT ?`,
        limit,
      )
      .toArray()
  }
}
