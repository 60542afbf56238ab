// What the store of jobs needs of a database, and its tables. A request or a result is larger than a row may be, so it
// lies in pieces beside its job.

export type JobSqlValue = string | number | null | Uint8Array

export interface JobSql {
  all(query: string, ...values: readonly JobSqlValue[]): readonly unknown[]
}

export type JobRow = Readonly<Record<string, unknown>>

/** Queries of one tenant, whose name is always `?1`. */
export type TenantRows = (query: string, ...values: readonly JobSqlValue[]) => readonly JobRow[]

export const tenantRows =
  (sql: JobSql, tenant: string): TenantRows =>
  (query, ...values) =>
    sql.all(query, tenant, ...values) as readonly JobRow[]

export const JOB_SCHEMA = `
  CREATE TABLE IF NOT EXISTS jobs (
    tenant TEXT NOT NULL, id TEXT NOT NULL, status TEXT NOT NULL, lane TEXT NOT NULL, owner TEXT NOT NULL,
    created_at INTEGER NOT NULL, due_at INTEGER NOT NULL, wake_at INTEGER NOT NULL, deadline_at INTEGER,
    dead_at INTEGER, record TEXT NOT NULL, PRIMARY KEY (tenant, id)
  );
  CREATE INDEX IF NOT EXISTS jobs_by_lane ON jobs (tenant, status, lane, wake_at);
  CREATE INDEX IF NOT EXISTS jobs_by_wake ON jobs (tenant, wake_at);
  CREATE INDEX IF NOT EXISTS jobs_by_deadline ON jobs (tenant, deadline_at) WHERE deadline_at IS NOT NULL;
  CREATE INDEX IF NOT EXISTS jobs_by_age ON jobs (tenant, created_at, id);
  CREATE INDEX IF NOT EXISTS jobs_dead ON jobs (tenant, dead_at) WHERE dead_at IS NOT NULL;
  CREATE TABLE IF NOT EXISTS job_pieces (
    tenant TEXT NOT NULL, id TEXT NOT NULL, part TEXT NOT NULL, number INTEGER NOT NULL, bytes BLOB NOT NULL
  );
  CREATE UNIQUE INDEX IF NOT EXISTS job_pieces_by_job ON job_pieces (tenant, id, part, number);
  CREATE TABLE IF NOT EXISTS job_uploads (
    tenant TEXT NOT NULL, id TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (tenant, id)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS job_keys (
    tenant TEXT NOT NULL, name TEXT NOT NULL, body_hash TEXT NOT NULL, job TEXT NOT NULL, taken TEXT, until INTEGER NOT NULL,
    PRIMARY KEY (tenant, name)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS job_keys_by_end ON job_keys (tenant, until);
  CREATE TABLE IF NOT EXISTS job_rates (
    tenant TEXT NOT NULL, lane TEXT NOT NULL, minute INTEGER NOT NULL, came INTEGER NOT NULL, went INTEGER NOT NULL,
    PRIMARY KEY (tenant, lane, minute)
  ) WITHOUT ROWID;`

/** Of lanes that rest. */
export const JOB_PACE_SCHEMA = `
  CREATE TABLE IF NOT EXISTS job_paces (
    tenant TEXT NOT NULL, lane TEXT NOT NULL, refusals INTEGER NOT NULL, rests_until INTEGER NOT NULL,
    PRIMARY KEY (tenant, lane)
  ) WITHOUT ROWID;`

export const JOB_BATCH_SCHEMA = `
  CREATE TABLE IF NOT EXISTS job_gatherings (
    tenant TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, ready_at INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS job_gatherings_by_kind ON job_gatherings (tenant, kind, ready_at);
  CREATE TABLE IF NOT EXISTS job_batches (
    tenant TEXT NOT NULL, id TEXT NOT NULL, wake_at INTEGER NOT NULL, record TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
  );
  CREATE INDEX IF NOT EXISTS job_batches_by_wake ON job_batches (tenant, wake_at);`

/** In the order in which they came. */
export const JOB_SCHEMAS: readonly string[] = [JOB_SCHEMA, JOB_PACE_SCHEMA, JOB_BATCH_SCHEMA]
