// Accounts in D1. Calls read the nearest replica, an operator the primary.
import type { AccountStore } from '../../ports.ts'
import { LIST_ACCOUNTS_SQL, toStoredAccounts } from '../sql/account-rows.ts'
import type { Row } from '../sql/key-rows.ts'

export function d1AccountStore(db: D1Database): AccountStore {
  return {
    async listAccounts(freshness) {
      const session = db.withSession(
        freshness === 'newest' ? 'first-primary' : 'first-unconstrained',
      )
      const { results } = await session.prepare(LIST_ACCOUNTS_SQL).all<Row>()
      return toStoredAccounts(results)
    },
  }
}
