// The accounts for calls, over any database that speaks our SQL. A replica may answer: a change holds after a while
// anyway.
import type { AccountStore } from '../../ports.ts'
import { LIST_ACCOUNTS_SQL, toStoredAccounts } from './account-rows.ts'
import type { OpenSqlSession } from './session.ts'

const RESEAL = 'UPDATE accounts SET sealed_key = ?3 WHERE id = ?1 AND sealed_key = ?2'

export const sqlAccountStore = (openSession: OpenSqlSession): AccountStore => ({
  async listAccounts(freshness) {
    const from = freshness === 'newest' ? 'primary' : 'nearest'
    const session = openSession({ from, bookmark: null })
    return toStoredAccounts(await session.all(LIST_ACCOUNTS_SQL))
  },
  async resealAccount(id, { from, to }) {
    await openSession({ from: 'primary', bookmark: null }).all(RESEAL, id, from, to)
  },
})
