// What the records of the admin plane need of a database: the same statements run on D1 and on SQLite.

export type SqlValue = string | number | null

export interface SqlStatement {
  readonly sql: string
  /** For `?1`, `?2`, … */
  readonly values: readonly SqlValue[]
}

export type SqlRow = Readonly<Record<string, unknown>>

/** Both throw GatewayError `store_unavailable` when the database cannot be asked, and else what it says. */
export interface SqlSession {
  all(sql: string, ...values: SqlValue[]): Promise<readonly SqlRow[]>
  /** All of it or nothing, and nothing of anyone else's in between. The rows of each statement. */
  batch(statements: readonly SqlStatement[]): Promise<readonly (readonly SqlRow[])[]>
  bookmark(): string | null
}

export interface SqlView {
  readonly from: 'nearest' | 'primary'
  readonly bookmark: string | null
}

export type OpenSqlSession = (view: SqlView) => SqlSession

export const statement = (sql: string, ...values: SqlValue[]): SqlStatement => ({ sql, values })
