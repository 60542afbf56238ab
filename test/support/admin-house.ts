// The whole house on a SQLite database in memory, for the routes of the admin plane: real SQL, no process, no socket.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { configure } from '../../src/adapters/sqlite/database.ts'
import { migrateSqlite, readMigrations } from '../../src/adapters/sqlite/migrate.ts'
import { type ProcessGateway, openGateway } from '../../src/doorway/gateway.ts'
import { parseConfig } from '../../src/config.ts'
import type { LogLine } from '../../src/ports.ts'

export const ADMIN_TOKEN = 'an-admin-token-of-enough-characters'
export const PEPPER = 'a-pepper-of-more-than-enough-characters'

export interface AdminAnswer {
  readonly status: number
  readonly headers: Headers
  /** Parsed; empty where there is none. */
  readonly body: Readonly<Record<string, unknown>>
}

/** The entries of a list. */
export const dataOf = ({ body }: AdminAnswer): readonly Readonly<Record<string, unknown>>[] =>
  body['data'] as readonly Readonly<Record<string, unknown>>[]

export interface AdminAsk {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly token?: string | null
}

export interface AdminHouse {
  readonly db: DatabaseSync
  readonly gateway: ProcessGateway
  readonly log: LogLine[]
  /** `POST /tenants` and the like, under `/admin/v1`, with the admin token. */
  ask(route: string, ask?: AdminAsk): Promise<AdminAnswer>
  send(request: Request): Promise<AdminAnswer>
  close(): void
}

const MIGRATIONS = readMigrations(join(import.meta.dirname, '../../migrations'))

export function openAdminHouse(settings: Readonly<Record<string, string>> = {}): AdminHouse {
  const db = new DatabaseSync(':memory:')
  configure(db)
  migrateSqlite(db, MIGRATIONS)
  const log: LogLine[] = []
  const config = parseConfig({
    ANTHROPIC_API_KEY: 'sk-ant-of-no-use',
    ADMIN_TOKEN,
    KEY_PEPPER: PEPPER,
    ...settings,
  })
  const gateway = openGateway({ config, db, log: (line) => void log.push(line) })
  const send = async (request: Request): Promise<AdminAnswer> => {
    const response = await gateway.fetch(request, '192.0.2.1')
    const text = await response.text()
    const body = (text === '' ? {} : JSON.parse(text)) as AdminAnswer['body']
    return { status: response.status, headers: response.headers, body }
  }
  return {
    db,
    gateway,
    log,
    send,
    ask(route, { body, headers = {}, token = ADMIN_TOKEN } = {}) {
      const [method = '', path = ''] = route.split(' ')
      return send(
        new Request(`http://sluice.test/admin/v1${path}`, {
          method,
          headers: {
            ...(token === null ? {} : { authorization: `Bearer ${token}` }),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...headers,
          },
          ...(body === undefined
            ? {}
            : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        }),
      )
    },
    close() {
      gateway.close()
      db.close()
    },
  }
}
