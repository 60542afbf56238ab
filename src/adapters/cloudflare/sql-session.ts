// Sessions of D1: reads may go to the nearest replica, and a bookmark makes it wait until it has seen as much.
import { GatewayError } from '../../core/errors.ts'
import type { OpenSqlSession, SqlRow } from '../sql/session.ts'

/** An operator waits; a browser or a script does not wait for ever. */
const TIMEOUT_MS = 10_000

export const d1Sessions =
  (db: Pick<D1Database, 'withSession'>): OpenSqlSession =>
  ({ from, bookmark }) => {
    const start = from === 'primary' ? 'first-primary' : (bookmark ?? 'first-unconstrained')
    const session = db.withSession(start)
    return {
      async all(sql, ...values) {
        const asked = session.prepare(sql).bind(...values)
        return (await answered(asked.all<SqlRow>())).results
      },
      async batch(statements) {
        const prepared = statements.map(({ sql, values }) => session.prepare(sql).bind(...values))
        const results = await answered(session.batch<SqlRow>(prepared))
        return results.map((result) => result.results)
      },
      bookmark: () => session.getBookmark(),
    }
  }

async function answered<T>(answer: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS)
  })
  try {
    return await Promise.race([answer, late])
  } catch (cause) {
    // What a statement itself did wrong is no outage.
    if (/constraint|syntax error|no such|SQLITE_(ERROR|CONSTRAINT)/i.test(String(cause)))
      throw cause
    throw new GatewayError('store_unavailable', 'The database cannot be reached', { cause })
  } finally {
    clearTimeout(timer)
  }
}
