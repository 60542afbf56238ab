// D1 for plain `workerd serve`, which has none: the protocol that workerd's own D1 binding speaks, answered by one
// object's SQLite on disk. Statements of a batch run in one transaction, as in D1.
import { DurableObject } from 'cloudflare:workers'

interface Query {
  readonly sql: string
  readonly params?: readonly SqlStorageValue[] | null
}

interface D1Env {
  readonly DATABASE: DurableObjectNamespace<Database>
}

export class Database extends DurableObject<D1Env> {
  override async fetch(request: Request): Promise<Response> {
    const asked: Query | readonly Query[] = await request.json()
    const isObjects = new URL(request.url).searchParams.get('resultsFormat') === 'ARRAY_OF_OBJECTS'
    try {
      const queries = Array.isArray(asked) ? (asked as readonly Query[]) : [asked as Query]
      const answers = this.ctx.storage.transactionSync(() =>
        queries.map((query) => this.#run(query, isObjects)),
      )
      return Response.json(answers)
    } catch (error) {
      return Response.json({ success: false, error: String(error) })
    }
  }

  #run({ sql, params }: Query, isObjects: boolean) {
    const cursor = this.ctx.storage.sql.exec(sql, ...(params ?? []))
    const columns = cursor.columnNames
    const rows = [...cursor.raw()]
    const objects = () =>
      rows.map((row) => Object.fromEntries(columns.map((name, at) => [name, row[at]])))
    return {
      success: true,
      results: isObjects ? objects() : { columns, rows },
      meta: {
        served_by: 'bench',
        duration: 0,
        changes: cursor.rowsWritten,
        last_row_id: 0,
        changed_db: cursor.rowsWritten > 0,
        size_after: this.ctx.storage.sql.databaseSize,
        rows_read: cursor.rowsRead,
        rows_written: cursor.rowsWritten,
      },
    }
  }
}

export default {
  fetch: (request, { DATABASE }) => DATABASE.getByName('sluice').fetch(request),
} satisfies ExportedHandler<D1Env>
