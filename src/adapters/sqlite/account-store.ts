// Accounts in a SQLite file beside the process: for the doorways without D1.
import type { AccountStore } from '../../ports.ts'
import { LIST_ACCOUNTS_SQL, toStoredAccounts } from '../sql/account-rows.ts'
import type { Row } from '../sql/key-rows.ts'
import type { SqliteDatabase } from './database.ts'

export function sqliteAccountStore(db: SqliteDatabase): AccountStore {
  const list = db.prepare(LIST_ACCOUNTS_SQL)
  return {
    async listAccounts() {
      // SQLite gives rows as objects of columns.
      return toStoredAccounts(list.all() as Row[])
    },
  }
}
