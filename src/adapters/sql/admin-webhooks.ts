// Deliveries and the numbers of secrets as rows, for the operator.
import type { Attempt, DeliveryState } from '../../core/webhooks/delivery.ts'
import { OPERATOR } from '../../core/webhooks/event.ts'
import type { DeliveryFilter, ListedDelivery, Place, WebhookRecords } from '../../ports/admin.ts'
import {
  parseJson,
  readNumber,
  readNumberOrNull,
  readText,
  readTextOrNull,
  runAudited,
  timeSql,
} from './audited.ts'
import { listPage } from './listed.ts'
import { type SqlRow, type SqlSession, type SqlValue, statement } from './session.ts'
import { readVersion } from './webhook-rows.ts'

const SECRET = 'SELECT version, former_until FROM webhook_secrets WHERE owner = ?1'

const ROTATE = `INSERT INTO webhook_secrets (owner, version, rotated_at, former_until)
  VALUES (?1, ?2, ?3, ?4)
  ON CONFLICT (owner) DO UPDATE SET version = ?2, rotated_at = ?3, former_until = ?4
    WHERE webhook_secrets.version = ?2 - 1
  RETURNING owner`

const SNAPSHOT = `SELECT json_object('version', version, 'rotated_at', ${timeSql('rotated_at')},
    'former_until', ${timeSql('former_until')}) FROM webhook_secrets WHERE owner = ?1`

export const webhookRecords = (session: SqlSession): WebhookRecords => ({
  listDeliveries: (filter, page) =>
    listPage(page, {
      rows: (limit, after) => findRows(session, filter, { limit, after }),
      read: toDelivery,
      placeOf: (row) => [readNumber(row, 'created_at'), readText(row, 'id')],
    }),
  async findDelivery(id) {
    const [row] = await session.all('SELECT * FROM webhook_deliveries WHERE id = ?1', id)
    return row === undefined ? null : toDelivery(row)
  },
  async findWebhookSecret(owner) {
    const [row] = await session.all(SECRET, owner)
    return readVersion(row)
  },
  async rotateWebhookSecret(owner, { version, formerUntil }, write) {
    const audit = {
      action: 'webhook_secret.rotate',
      target: owner,
      tenant: owner === OPERATOR ? null : owner,
      snapshotSql: SNAPSHOT,
    }
    const rotate = statement(ROTATE, owner, version, write.at, formerUntil)
    const [rows] = await runAudited(session, { write, audit }, [rotate])
    return rows !== undefined && rows.length > 0
  },
})

function findRows(
  session: SqlSession,
  filter: DeliveryFilter,
  { limit, after }: { readonly limit: number; readonly after: Place | null },
): Promise<readonly SqlRow[]> {
  const conditions: readonly (readonly [string, SqlValue | undefined])[] = [
    ['owner =', filter.owner ?? undefined],
    ['state =', filter.state ?? undefined],
    ['type =', filter.type ?? undefined],
  ]
  const set = conditions.flatMap(([test, value]) => (value === undefined ? [] : [{ test, value }]))
  const tests = set.map(({ test }, at) => `${test} ?${at + 2}`)
  if (after !== null) tests.push(`(created_at, id) < (?${set.length + 2}, ?${set.length + 3})`)
  const where = tests.length === 0 ? '' : `WHERE ${tests.join(' AND ')}`
  return session.all(
    `SELECT * FROM webhook_deliveries ${where} ORDER BY created_at DESC, id DESC LIMIT ?1`,
    limit,
    ...set.map(({ value }) => value),
    ...(after ?? []),
  )
}

const toDelivery = (row: SqlRow): ListedDelivery => ({
  id: readText(row, 'id'),
  owner: readText(row, 'owner'),
  type: readText(row, 'type'),
  url: readTextOrNull(row, 'url'),
  // Written by ourselves, from what has these types.
  state: readText(row, 'state') as DeliveryState,
  attempts: parseJson(row['attempts']) as readonly Attempt[],
  createdAt: readNumber(row, 'created_at'),
  endedAt: readNumberOrNull(row, 'ended_at'),
  dueAt: readNumberOrNull(row, 'due_at'),
  attemptCount: readNumber(row, 'attempt_count'),
})
