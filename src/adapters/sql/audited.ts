// A change with its audit row, in one batch: the object is read as JSON before and after it within the same
// transaction, so that two changes at once leave two rows that follow each other. No change, no row.
import type { AdminWrite } from '../../ports/admin.ts'
import { type SqlRow, type SqlSession, type SqlStatement, statement } from './session.ts'

export interface Audit {
  readonly action: string
  /** The id of what is changed. */
  readonly target: string
  /** Null: what the snapshot says in its field `tenant`, if it has one. */
  readonly tenant: string | null
  /** A query that gives one value: the object with the id `?1` as JSON, in the API's shape and without secrets. */
  readonly snapshotSql: string
}

const ANSWER_KEPT_MS = 24 * 3_600_000

/** The rows that each statement of the change returns. */
export async function runAudited(
  session: SqlSession,
  { write, audit }: { readonly write: AdminWrite; readonly audit: Audit },
  change: readonly SqlStatement[],
): Promise<readonly (readonly SqlRow[])[]> {
  const rows = await session.batch([
    addEvent(write, audit),
    ...change,
    ...finishEvent(write, audit),
  ])
  return rows.slice(1, change.length + 1)
}

/**
 * The name is the primary key: where it is there already, the whole batch fails. Where nothing was changed there is
 * nothing to be said again.
 */
export function keepAnswer({ answer, at, eventId }: AdminWrite): SqlStatement[] {
  if (answer === null) return []
  const { name, fingerprint, status, sealed } = answer
  return [
    statement('DELETE FROM admin_answers WHERE at < ?1', at - ANSWER_KEPT_MS),
    statement(
      `INSERT INTO admin_answers (name, fingerprint, status, sealed, at) SELECT ?1, ?2, ?3, ?4, ?5
       FROM admin_events WHERE id = ?6`,
      name,
      fingerprint,
      status,
      sealed,
      at,
      eventId,
    ),
  ]
}

const addEvent = (write: AdminWrite, audit: Audit): SqlStatement =>
  statement(
    `INSERT INTO admin_events (target, id, at, actor, action, tenant, request_id, before)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, (${audit.snapshotSql}))`,
    audit.target,
    write.eventId,
    write.at,
    write.actor,
    audit.action,
    audit.tenant,
    write.requestId,
  )

const finishEvent = (write: AdminWrite, { target, snapshotSql }: Audit): SqlStatement[] => [
  statement(
    `UPDATE admin_events SET after = (${snapshotSql}) WHERE id = ?2`,
    target,
    write.eventId,
  ),
  statement(
    `UPDATE admin_events SET tenant = coalesce(after->>'tenant', before->>'tenant')
     WHERE id = ?1 AND tenant IS NULL`,
    write.eventId,
  ),
  statement('DELETE FROM admin_events WHERE id = ?1 AND before IS after', write.eventId),
  ...keepAnswer(write),
]

export const parseJson = (text: unknown): unknown =>
  typeof text === 'string' ? JSON.parse(text) : null

/** A time in the API's form, from a column of epoch milliseconds. */
export const timeSql = (column: string): string =>
  `strftime('%Y-%m-%dT%H:%M:%fZ', ${column} / 1000.0, 'unixepoch')`

/** JSON's own true or false, from a column of 0 and 1. */
export const truthSql = (column: string): string => `json(iif(${column}, 'true', 'false'))`

export function parseObject(text: unknown): Readonly<Record<string, unknown>> {
  const object = parseJson(text)
  if (typeof object !== 'object' || object === null || Array.isArray(object)) {
    throw new TypeError('a column is not a JSON object')
  }
  return { ...object }
}

export function parseTexts(text: unknown): readonly string[] | null {
  const list = parseJson(text)
  if (list === null) return null
  if (!Array.isArray(list) || !list.every((entry) => typeof entry === 'string')) {
    throw new TypeError('a column is not a JSON list of texts')
  }
  return list
}

export function readText(row: SqlRow, column: string): string {
  const text = row[column]
  if (typeof text !== 'string') throw new TypeError(`column ${column} is not text`)
  return text
}

export function readNumber(row: SqlRow, column: string): number {
  const number = row[column]
  if (typeof number !== 'number') throw new TypeError(`column ${column} is not a number`)
  return number
}

export const readTextOrNull = (row: SqlRow, column: string): string | null =>
  row[column] === null ? null : readText(row, column)

export const readNumberOrNull = (row: SqlRow, column: string): number | null =>
  row[column] === null ? null : readNumber(row, column)
