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

/** The object as it is after the change, as `snapshotSql` says it; null: it is not there. */
export async function runAudited(
  session: SqlSession,
  { write, audit }: { readonly write: AdminWrite; readonly audit: Audit },
  change: readonly SqlStatement[],
): Promise<unknown> {
  const rows = await session.batch([
    ...keepAnswer(write),
    addEvent(write, audit),
    ...change,
    ...finishEvent(write, audit),
  ])
  return parseJson(rows.at(-1)?.[0]?.['snapshot'])
}

/** The name is the primary key: where it is there already, the whole batch fails. */
export function keepAnswer({ answer, at }: AdminWrite): SqlStatement[] {
  if (answer === null) return []
  const { name, fingerprint, status, sealed } = answer
  return [
    statement('DELETE FROM admin_answers WHERE at < ?1', at - ANSWER_KEPT_MS),
    statement(
      'INSERT INTO admin_answers (name, fingerprint, status, sealed, at) VALUES (?1, ?2, ?3, ?4, ?5)',
      name,
      fingerprint,
      status,
      sealed,
      at,
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

const finishEvent = ({ eventId }: AdminWrite, { target, snapshotSql }: Audit): SqlStatement[] => [
  statement(`UPDATE admin_events SET after = (${snapshotSql}) WHERE id = ?2`, target, eventId),
  statement(
    `UPDATE admin_events SET tenant = coalesce(after->>'tenant', before->>'tenant')
     WHERE id = ?1 AND tenant IS NULL`,
    eventId,
  ),
  statement('DELETE FROM admin_events WHERE id = ?1 AND before IS after', eventId),
  statement(`SELECT (${snapshotSql}) AS snapshot`, target),
]

export const parseJson = (text: unknown): unknown =>
  typeof text === 'string' ? JSON.parse(text) : null

/** A time in the API's form, from a column of epoch milliseconds. */
export const timeSql = (column: string): string =>
  `strftime('%Y-%m-%dT%H:%M:%fZ', ${column} / 1000.0, 'unixepoch')`

/** JSON's own true or false, from a column of 0 and 1. */
export const truthSql = (column: string): string => `json(iif(${column}, 'true', 'false'))`

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
