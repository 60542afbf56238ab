// Accounts in SQL: the question, and how a row of the answer becomes an account. Shared by every adapter over the same
// schema (migrations/).
import type { AccountFields, StoredAccount } from '../../core/answering/account.ts'
import type { ChangedFields } from '../../ports/admin.ts'
import type { StoredAccounts } from '../../ports.ts'
import type { Row } from './key-rows.ts'

export const LIST_ACCOUNTS_SQL = 'SELECT * FROM accounts ORDER BY created_at, id'

/** A row that cannot be read is told apart and hides no other. */
export function toStoredAccounts(rows: readonly Row[]): StoredAccounts {
  const read = rows.map((row) => {
    try {
      return toStoredAccount(row)
    } catch (error) {
      const problem = `its row cannot be read: ${error instanceof Error ? error.message : String(error)}`
      return { id: String(row['id']), problem }
    }
  })
  return {
    accounts: read.flatMap((each) => ('problem' in each ? [] : [each])),
    unreadable: read.flatMap((each) => ('problem' in each ? [each] : [])),
  }
}

/** Throws on a row that does not say clearly what its account is. */
export function toStoredAccount(row: Row): StoredAccount {
  return {
    id: readText(row, 'id'),
    baseUrl: row['base_url'] === null ? null : readText(row, 'base_url'),
    sealedKey: row['sealed_key'] === null ? null : readText(row, 'sealed_key'),
    sealedAt: row['sealed_at'] === null ? null : readNumber(row, 'sealed_at'),
    locationHint: row['location_hint'] === null ? null : readText(row, 'location_hint'),
    fields: readFields(JSON.parse(readText(row, 'fields'))),
    drainingSince: row['draining_since'] === null ? null : readNumber(row, 'draining_since'),
    createdAt: readNumber(row, 'created_at'),
  }
}

/** As a row keeps them: the wire's names. */
export const toFieldColumns = (fields: ChangedFields): Record<string, unknown> => ({
  ...(fields.weight === undefined ? {} : { weight: fields.weight }),
  ...(fields.maxConcurrent === undefined ? {} : { max_concurrent: fields.maxConcurrent }),
  ...(fields.minConcurrent === undefined ? {} : { min_concurrent: fields.minConcurrent }),
  ...(fields.backup === undefined ? {} : { backup: fields.backup }),
  ...(fields.models === undefined ? {} : { models: fields.models }),
})

function readFields(fields: Row): AccountFields {
  const { weight, max_concurrent, min_concurrent, backup, models } = fields
  return {
    ...(weight === undefined ? {} : { weight: readAbove(0, fields, 'weight') }),
    ...(max_concurrent === undefined ? {} : { maxConcurrent: readCount(fields, 'max_concurrent') }),
    ...(min_concurrent === undefined ? {} : { minConcurrent: readCount(fields, 'min_concurrent') }),
    ...(backup === undefined ? {} : { backup: readBoolean(fields, 'backup') }),
    ...(models === undefined ? {} : { models: readModels(models) }),
  }
}

function readText(row: Row, column: string): string {
  const text = row[column]
  if (typeof text !== 'string') throw new TypeError(`${column} is not text`)
  return text
}

function readNumber(row: Row, column: string): number {
  const number = row[column]
  if (typeof number !== 'number') throw new TypeError(`${column} is not a number`)
  return number
}

function readAbove(least: number, row: Row, column: string): number {
  const number = readNumber(row, column)
  if (!(number > least)) throw new TypeError(`${column} is not above ${least}`)
  return number
}

function readCount(row: Row, column: string): number {
  const count = readAbove(0, row, column)
  if (!Number.isSafeInteger(count)) throw new TypeError(`${column} is not a whole number`)
  return count
}

function readBoolean(row: Row, column: string): boolean {
  const flag = row[column]
  if (typeof flag !== 'boolean') throw new TypeError(`${column} is not true or false`)
  return flag
}

function readModels(models: unknown): readonly string[] {
  if (!Array.isArray(models) || !models.every((glob) => typeof glob === 'string')) {
    throw new TypeError('models is not a list of texts')
  }
  return models
}
