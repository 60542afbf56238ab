// The admin plane's store over any database that speaks our SQL: the records of each kind, on one session.
import type { AdminStore } from '../../ports/admin.ts'
import { accountRecords } from './admin-accounts.ts'
import { eventRecords } from './admin-events.ts'
import { keyRecords } from './admin-keys.ts'
import { tenantRecords } from './admin-tenants.ts'
import { tierRecords } from './admin-tiers.ts'
import { usageRecords } from './admin-usage.ts'
import { webhookRecords } from './admin-webhooks.ts'
import { readNumber, readText } from './audited.ts'
import type { OpenSqlSession } from './session.ts'

export const sqlAdminStore = (openSession: OpenSqlSession): AdminStore => ({
  open(view) {
    const session = openSession(view)
    return {
      ...tierRecords(session),
      ...tenantRecords(session),
      ...keyRecords(session),
      ...usageRecords(session),
      ...eventRecords(session),
      ...accountRecords(session),
      ...webhookRecords(session),
      bookmark: () => session.bookmark(),
      async findAnswer(name, since) {
        const [row] = await session.all(
          'SELECT * FROM admin_answers WHERE name = ?1 AND at >= ?2',
          name,
          since,
        )
        if (row === undefined) return null
        return {
          name: readText(row, 'name'),
          fingerprint: readText(row, 'fingerprint'),
          status: readNumber(row, 'status'),
          sealed: readText(row, 'sealed'),
        }
      },
    }
  },
})
