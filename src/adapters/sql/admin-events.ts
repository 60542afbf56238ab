// The audit trail as rows, the latest first.
import type { AuditEvent, EventFilter, EventRecords, Place } from '../../ports/admin.ts'
import { keepAnswer, parseJson, readNumber, readText, readTextOrNull } from './audited.ts'
import { listPage } from './listed.ts'
import { type SqlRow, type SqlSession, type SqlValue, statement } from './session.ts'

export const eventRecords = (session: SqlSession): EventRecords => ({
  listEvents: (filter, page) =>
    listPage(page, {
      rows: (limit, after) => findRows(session, filter, { limit, after }),
      read: toEvent,
      placeOf: (row) => [readNumber(row, 'seq')],
    }),
  async addEvent(event, write) {
    const { action, target, tenant, before, after } = event
    const insert = statement(
      `INSERT INTO admin_events (id, at, actor, action, target, tenant, request_id, before, after)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`,
      write.eventId,
      write.at,
      write.actor,
      action,
      target,
      tenant,
      write.requestId,
      toJson(before),
      toJson(after),
    )
    await session.batch([insert, ...keepAnswer(write)])
  },
})

function findRows(
  session: SqlSession,
  filter: EventFilter,
  { limit, after }: { readonly limit: number; readonly after: Place | null },
): Promise<readonly SqlRow[]> {
  const conditions: readonly (readonly [string, SqlValue | undefined])[] = [
    ['seq <', after?.[0]],
    ['action =', filter.action ?? undefined],
    ['target =', filter.target ?? undefined],
    ['tenant =', filter.tenant ?? undefined],
    ['at >=', filter.from ?? undefined],
    ['at <=', filter.to ?? undefined],
  ]
  const set = conditions.flatMap(([test, value]) => (value === undefined ? [] : [{ test, value }]))
  const where = set.map(({ test }, at) => `${test} ?${at + 2}`).join(' AND ')
  return session.all(
    `SELECT * FROM admin_events ${where === '' ? '' : `WHERE ${where}`} ORDER BY seq DESC LIMIT ?1`,
    limit,
    ...set.map(({ value }) => value),
  )
}

const toEvent = (row: SqlRow): AuditEvent => ({
  id: readText(row, 'id'),
  at: readNumber(row, 'at'),
  actor: readText(row, 'actor'),
  action: readText(row, 'action'),
  target: readText(row, 'target'),
  tenant: readTextOrNull(row, 'tenant'),
  requestId: readText(row, 'request_id'),
  before: parseJson(row['before']),
  after: parseJson(row['after']),
})

const toJson = (value: unknown): string | null => (value === null ? null : JSON.stringify(value))
