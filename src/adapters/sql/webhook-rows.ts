// What webhooks need of the database that all locations share: where an owner's go, which secret signs them, and how they
// stand.
import { FIRST_VERSION } from '../../flows/webhooks/webhook-secrets.ts'
import { OPERATOR } from '../../core/webhooks/event.ts'
import type { StoredOwner } from '../webhooks/find-owner.ts'
import type { WebhookJournal } from '../webhooks/publish-changed.ts'
import type { ChangedDelivery } from '../webhooks/webhook-store.ts'
import { readNumber, readNumberOrNull, readTextOrNull } from './audited.ts'
import { type OpenSqlSession, type SqlRow, statement } from './session.ts'

const FIND_TENANT = `SELECT created_at, settings->>'webhook_endpoint' AS endpoint, version, former_until
  FROM tenants LEFT JOIN webhook_secrets ON owner = id WHERE id = ?1`
const FIND_SECRET = 'SELECT version, former_until FROM webhook_secrets WHERE owner = ?1'

export const readStoredOwner =
  (openSession: OpenSqlSession, operatorUrl: string | null) =>
  async (owner: string): Promise<StoredOwner | null> => {
    const session = openSession({ from: 'primary', bookmark: null })
    if (owner === OPERATOR) {
      const [row] = await session.all(FIND_SECRET, owner)
      return { createdAt: 0, endpoint: operatorUrl, ...readVersion(row) }
    }
    const [row] = await session.all(FIND_TENANT, owner)
    if (row === undefined) return null
    return {
      createdAt: readNumber(row, 'created_at'),
      endpoint: readTextOrNull(row, 'endpoint'),
      ...readVersion(row),
    }
  }

export const readVersion = (row: SqlRow | undefined) => {
  const version = row === undefined ? null : readNumberOrNull(row, 'version')
  if (row === undefined || version === null) return FIRST_VERSION
  return { version, formerUntil: readNumber(row, 'former_until') }
}

const KEEP_ROWS = `
  INSERT INTO webhook_deliveries (id, owner, change, type, url, state, created_at, ended_at, due_at,
    attempt_count, attempts)
  SELECT value->>'id', value->>'owner', value->>'change', value->>'type', value->>'url',
    value->>'state', value->>'createdAt', value->>'endedAt', value->>'dueAt',
    value->>'attemptCount', value->'attempts'
  FROM json_each(?1) WHERE true
  ON CONFLICT (id) DO UPDATE SET change = excluded.change, url = excluded.url,
    state = excluded.state, ended_at = excluded.ended_at, due_at = excluded.due_at,
    attempt_count = excluded.attempt_count, attempts = excluded.attempts
  WHERE excluded.change > webhook_deliveries.change`

const KEPT_MS = 30 * 24 * 3_600_000

export const sqlWebhookJournal = (
  openSession: OpenSqlSession,
  now: () => number,
): WebhookJournal => ({
  async write(changes) {
    const rows = JSON.stringify(changes.map(toRow))
    await openSession({ from: 'primary', bookmark: null }).batch([
      statement(KEEP_ROWS, rows),
      statement('DELETE FROM webhook_deliveries WHERE ended_at < ?1', now() - KEPT_MS),
    ])
  },
})

const toRow = ({ delivery, change }: ChangedDelivery) => {
  const { id, owner, type, url, sentTo, state, createdAt, endedAt, dueAt } = delivery
  const { attemptCount, attempts } = delivery
  return {
    id,
    owner,
    change,
    type,
    state,
    createdAt,
    endedAt,
    dueAt,
    attemptCount,
    attempts,
    url: url ?? sentTo,
  }
}
