// Where deliveries outlive their process, in SQLite: an object's own, or a file with those of every owner. Each change is
// one statement, so there is no moment between two halves of one.
import { type Delivery, newDelivery } from '../../core/webhooks/delivery.ts'
import type { WebhookEvent } from '../../core/webhooks/event.ts'

/** The one thing that the store needs of a database. */
export interface WebhookSql {
  all(query: string, ...values: readonly (string | number | null)[]): readonly unknown[]
}

/** A delivery as others are to see it. */
export interface ChangedDelivery {
  readonly delivery: Delivery
  /** Higher than that of any change of it before. */
  readonly change: number
}

export interface Due {
  readonly delivery: Delivery
  readonly body: string
}

export const WEBHOOK_SCHEMA = `
  CREATE TABLE IF NOT EXISTS webhook_queue (
    owner TEXT NOT NULL, id TEXT NOT NULL, record TEXT NOT NULL, body TEXT NOT NULL, due_at INTEGER,
    ended_at INTEGER, change INTEGER NOT NULL, published INTEGER NOT NULL, PRIMARY KEY (owner, id)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS webhook_queue_due ON webhook_queue (owner, due_at)
    WHERE due_at IS NOT NULL;
  CREATE INDEX IF NOT EXISTS webhook_queue_changed ON webhook_queue (owner) WHERE published < change;
  CREATE INDEX IF NOT EXISTS webhook_queue_ended ON webhook_queue (owner, ended_at)
    WHERE ended_at IS NOT NULL;
  CREATE TABLE IF NOT EXISTS webhook_disabled (
    owner TEXT NOT NULL, url TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (owner, url)
  ) WITHOUT ROWID;`

type Row = Readonly<Record<string, unknown>>

export class WebhookStore {
  readonly #sql: WebhookSql
  readonly #owner: string

  constructor(sql: WebhookSql, owner: string) {
    this.#sql = sql
    this.#owner = owner
  }

  has(id: string): boolean {
    return this.#rows('SELECT 1 FROM webhook_queue WHERE owner = ? AND id = ?', id).length > 0
  }

  /** Does nothing to one that is there. */
  add(id: string, { owner, type, url, body }: WebhookEvent, now: number): void {
    const delivery = newDelivery({ id, owner, type, url }, now)
    this.#rows(
      `INSERT INTO webhook_queue (owner, id, record, body, due_at, ended_at, change, published)
       VALUES (?, ?, ?, ?, ?, NULL, ?, 0) ON CONFLICT DO NOTHING`,
      id,
      JSON.stringify(delivery),
      body,
      now,
      now,
    )
  }

  find(id: string): Due | null {
    const [row] = this.#rows(
      'SELECT record, body FROM webhook_queue WHERE owner = ? AND id = ?',
      id,
    )
    return row === undefined ? null : readDue(row)
  }

  save(delivery: Delivery, now: number): void {
    const { id, dueAt, endedAt } = delivery
    this.#sql.all(
      `UPDATE webhook_queue SET record = ?, due_at = ?, ended_at = ?, change = max(change + 1, ?)
       WHERE owner = ? AND id = ?`,
      JSON.stringify(delivery),
      dueAt,
      endedAt,
      now,
      this.#owner,
      id,
    )
  }

  /** The longest due first. */
  findDue(now: number, limit: number): readonly Due[] {
    return this.#rows(
      `SELECT record, body FROM webhook_queue WHERE owner = ? AND due_at <= ? ORDER BY due_at LIMIT ?`,
      now,
      limit,
    ).map(readDue)
  }

  /** Those that were begun and of which no end is known. */
  findBegun(): readonly Delivery[] {
    return this.#rows(
      `SELECT record FROM webhook_queue WHERE owner = ? AND due_at IS NOT NULL
       AND record->>'sendingSince' IS NOT NULL`,
    ).map(readDelivery)
  }

  /** What is due then or later; null: nothing. */
  nextDueAt(from = 0): number | null {
    const [row] = this.#rows(
      `SELECT due_at AS at FROM webhook_queue WHERE owner = ? AND due_at >= ?
       ORDER BY due_at LIMIT 1`,
      from,
    )
    return readAt(row)
  }

  oldestEndedAt(): number | null {
    const [row] = this.#rows(
      `SELECT ended_at AS at FROM webhook_queue WHERE owner = ? AND ended_at IS NOT NULL
       ORDER BY ended_at LIMIT 1`,
    )
    return readAt(row)
  }

  forgetEnded(before: number): void {
    this.#rows('DELETE FROM webhook_queue WHERE owner = ? AND ended_at < ?', before)
    this.#rows('DELETE FROM webhook_disabled WHERE owner = ? AND at < ?', before)
  }

  hasChanged(): boolean {
    return this.findChanged(1).length > 0
  }

  findChanged(limit: number): readonly ChangedDelivery[] {
    return this.#rows(
      'SELECT record, change FROM webhook_queue WHERE owner = ? AND published < change LIMIT ?',
      limit,
    ).map((row) => ({ delivery: readDelivery(row), change: Number(row['change']) }))
  }

  /** What was changed again meanwhile is still to be published. */
  published(changes: readonly ChangedDelivery[]): void {
    for (const { delivery, change } of changes) {
      this.#sql.all(
        'UPDATE webhook_queue SET published = ? WHERE owner = ? AND id = ? AND published < ?',
        change,
        this.#owner,
        delivery.id,
        change,
      )
    }
  }

  isDisabled(url: string): boolean {
    return this.#rows('SELECT 1 FROM webhook_disabled WHERE owner = ? AND url = ?', url).length > 0
  }

  disable(url: string, now: number): void {
    this.#rows(
      'INSERT OR REPLACE INTO webhook_disabled (owner, url, at) VALUES (?, ?, ?)',
      url,
      now,
    )
  }

  enable(url: string): void {
    this.#rows('DELETE FROM webhook_disabled WHERE owner = ? AND url = ?', url)
  }

  #rows(query: string, ...values: readonly (string | number)[]): readonly Row[] {
    // SQLite gives rows as objects of columns.
    return this.#sql.all(query, this.#owner, ...values) as readonly Row[]
  }
}

/** Owners that have something to send or to publish. */
export function findBusyOwners(sql: WebhookSql): readonly string[] {
  const rows = sql.all(
    `SELECT DISTINCT owner FROM webhook_queue WHERE due_at IS NOT NULL OR published < change`,
  ) as readonly Row[]
  return rows.map(({ owner }) => String(owner))
}

/** Our own writing, of this form since the first version. */
const readDelivery = (row: Row): Delivery => JSON.parse(String(row['record'])) as Delivery

const readDue = (row: Row): Due => ({ delivery: readDelivery(row), body: String(row['body']) })

const readAt = (row: Row | undefined): number | null =>
  row === undefined ? null : Number(row['at'])
