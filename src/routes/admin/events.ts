// The audit trail.
import { Hono } from 'hono'
import { readTime, showTime } from '../../core/admin/times.ts'
import { GatewayError } from '../../core/errors.ts'
import { expectOnly, parsePage, renderList } from '../../flows/admin/pages.ts'
import type { AuditEvent, EventFilter } from '../../ports/admin.ts'
import type { AdminEnv } from './admin-env.ts'

const FILTERS = ['action', 'target', 'tenant', 'from', 'to'] as const

export const events = () =>
  new Hono<AdminEnv>().get('/events', async (c) => {
    const query = c.req.query()
    expectOnly(query, FILTERS)
    const page = parsePage(query, ['number'])
    const listed = await c.get('admin').session.listEvents(readFilter(query), page)
    return c.json(renderList(listed, showEvent))
  })

const readFilter = (query: Readonly<Record<string, string>>): EventFilter => ({
  action: query['action'] ?? null,
  target: query['target'] ?? null,
  tenant: query['tenant'] ?? null,
  from: readMoment(query, 'from'),
  to: readMoment(query, 'to'),
})

function readMoment(query: Readonly<Record<string, string>>, name: 'from' | 'to'): number | null {
  const text = query[name]
  if (text === undefined) return null
  const at = readTime(text)
  if (at !== null) return at
  throw new GatewayError(
    'invalid_request',
    `${name}: expected a time as 2026-01-31T12:00:00Z (RFC 3339)`,
  )
}

const showEvent = (event: AuditEvent) => ({
  id: event.id,
  created_at: showTime(event.at),
  actor: event.actor,
  action: event.action,
  target: event.target,
  tenant: event.tenant,
  request_id: event.requestId,
  before: event.before,
  after: event.after,
})
