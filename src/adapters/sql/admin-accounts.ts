// Accounts as rows: those that were added, and what was changed of those of the settings.
import type { AccountRecords, AdminWrite } from '../../ports/admin.ts'
import { LIST_ACCOUNTS_SQL, toFieldColumns, toStoredAccounts } from './account-rows.ts'
import { runAudited, timeSql } from './audited.ts'
import { type SqlSession, type SqlStatement, statement } from './session.ts'

// The credential is in no audit row: only since when it is the account's.
const SNAPSHOT = `SELECT json_patch(json_object('id', id, 'source', iif(sealed_key IS NULL, 'settings', 'added'),
    'base_url', base_url, 'location_hint', location_hint, 'credential_since', ${timeSql('sealed_at')},
    'draining_since', ${timeSql('draining_since')}, 'created_at', ${timeSql('created_at')}), fields)
  FROM accounts WHERE id = ?1`

// The changes of a former account of the settings must not decide over a new one of its name.
const CLEAR = 'DELETE FROM accounts WHERE id = ?1 AND sealed_key IS NULL'

const ADD = `INSERT INTO accounts (id, base_url, sealed_key, sealed_at, location_hint, fields, created_at)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING RETURNING id`

const CHANGES = `fields = json_patch(fields, ?2),
    draining_since = CASE ?3 WHEN 1 THEN coalesce(draining_since, ?4) WHEN 0 THEN NULL ELSE draining_since END`

const CHANGE_ADDED = `UPDATE accounts SET ${CHANGES}, sealed_key = coalesce(?5, sealed_key),
    sealed_at = iif(?5 IS NULL, sealed_at, ?4)
  WHERE id = ?1 AND sealed_key IS NOT NULL RETURNING id`

const CHANGE_GIVEN = `INSERT INTO accounts (id, fields, draining_since, created_at)
  VALUES (?1, json_patch('{}', ?2), CASE ?3 WHEN 1 THEN ?4 END, ?4)
  ON CONFLICT (id) DO UPDATE SET ${CHANGES} RETURNING id`

// Whoever takes the draining back meanwhile keeps the account.
const REMOVE = `DELETE FROM accounts WHERE id = ?1 AND sealed_key IS NOT NULL AND draining_since IS NOT NULL
  RETURNING id`

export const accountRecords = (session: SqlSession): AccountRecords => {
  const run = async (
    action: string,
    write: AdminWrite,
    id: string,
    change: readonly SqlStatement[],
  ): Promise<boolean> => {
    const audit = {
      action: `account.${action}`,
      target: id,
      tenant: null,
      snapshotSql: SNAPSHOT,
    }
    const rows = await runAudited(session, { write, audit }, change)
    return (rows.at(-1)?.length ?? 0) > 0
  }
  return {
    async listAccounts() {
      return toStoredAccounts(await session.all(LIST_ACCOUNTS_SQL))
    },
    addAccount(account, write) {
      const { id, baseUrl, sealedKey, sealedAt, locationHint, fields, createdAt } = account
      const texts = [baseUrl, sealedKey, sealedAt, locationHint]
      const columns = JSON.stringify(toFieldColumns(fields))
      return run('create', write, id, [
        statement(CLEAR, id),
        statement(ADD, id, ...texts, columns, createdAt),
      ])
    },
    changeAccount(id, change, write) {
      const fields = JSON.stringify(toFieldColumns(change.fields))
      const draining = change.draining === undefined ? null : Number(change.draining)
      const values = [id, fields, draining, write.at]
      return run('update', write, id, [
        change.source === 'added'
          ? statement(CHANGE_ADDED, ...values, change.sealedKey ?? null)
          : statement(CHANGE_GIVEN, ...values),
      ])
    },
    removeAccount: (id, write) => run('delete', write, id, [statement(REMOVE, id)]),
  }
}
