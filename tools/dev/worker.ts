// The Worker in workerd on this machine: wrangler.toml turned into Miniflare's options, its storage under the state
// directory, D1 migrated and seeded.
import { convertV4MiniflareOptions, Miniflare, type MiniflareOptions } from 'miniflare'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { unstable_getMiniflareWorkerOptions, unstable_splitSqlQuery } from 'wrangler'
import { type Bundle, root } from './bundle.ts'

export interface WorkerOptions {
  readonly port: number
  readonly host: string
  /** workerd's own socket, instead of Miniflare's entry and its checks. */
  readonly direct: boolean
  readonly dir: string
  readonly bindings: Readonly<Record<string, string>>
  readonly quiet: boolean
}

export interface RunningWorker {
  readonly url: string
  readonly db: Database
  replace(bundle: Bundle): Promise<void>
  stop(): Promise<void>
}

export type Database = D1Database

export async function startWorker(bundle: Bundle, options: WorkerOptions): Promise<RunningWorker> {
  const miniflare = new Miniflare(miniflareOptions(bundle, options))
  try {
    const entry = await miniflare.ready
    const db = (await miniflare.getD1Database('DB')) as Database
    await migrate(db)
    const url = options.direct ? await miniflare.unsafeGetDirectURL() : entry
    return {
      url: url.origin,
      db,
      replace: (next) => miniflare.setOptions(miniflareOptions(next, options)),
      stop: () => miniflare.dispose(),
    }
  } catch (error) {
    await miniflare.dispose().catch(() => {})
    if (!/address already in use/i.test(String(error))) throw error
    throw new Error(`Port ${options.port} is taken: choose another with --port`, { cause: error })
  }
}

type LegacyOptions = Parameters<typeof convertV4MiniflareOptions>[0]
interface WranglerOptions {
  readonly workerOptions: {
    readonly bindings?: Readonly<Record<string, unknown>>
    readonly queueConsumers?: Readonly<Record<string, object>>
  }
}

/**
 * Miniflare hands a queue's next batch over when the one before is done: one large batch stands for many consumers, and
 * what is sent within a moment is in one, so that none of it waits for another.
 */
const BATCH_HERE = { maxBatchSize: 25, maxBatchTimeout: 0.1 }

const withLargeBatches = ({ queueConsumers = {} }: WranglerOptions['workerOptions']) =>
  Object.fromEntries(
    Object.entries(queueConsumers).map(([queue, consumer]) => [
      queue,
      { ...consumer, ...BATCH_HERE },
    ]),
  )

function miniflareOptions(bundle: Bundle, options: WorkerOptions): MiniflareOptions {
  const { workerOptions } = unstable_getMiniflareWorkerOptions(
    join(root, 'wrangler.toml'),
  ) as WranglerOptions
  const { host, port } = options
  return convertV4MiniflareOptions({
    ...(options.direct ? { host, port: 0 } : { host, port }),
    resourcePersistencePath: join(options.dir, 'worker'),
    cf: false,
    logRequests: false,
    handleStructuredLogs: options.quiet ? () => {} : undefined,
    workers: [
      {
        ...workerOptions,
        name: 'sluice',
        modules: [{ type: 'ESModule', path: 'index.js', contents: bundle.script }],
        queueConsumers: withLargeBatches(workerOptions),
        bindings: { ...workerOptions.bindings, ...options.bindings },
        unsafeDirectSockets: options.direct ? [{ host, port }] : [],
      },
    ],
  } as LegacyOptions)
}

/** Applies what is missing of migrations/, in order, each once; keeps wrangler's own table, so that both agree. */
async function migrate(db: Database): Promise<void> {
  await db.exec(
    'CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)',
  )
  const { results } = await db.prepare('SELECT name FROM d1_migrations').all<{ name: string }>()
  const applied = new Set(results.map((row) => row.name))
  const names = readdirSync(join(root, 'migrations')).filter((name) => name.endsWith('.sql'))
  for (const name of names.sort().filter((candidate) => !applied.has(candidate))) {
    const statements = unstable_splitSqlQuery(readFileSync(join(root, 'migrations', name), 'utf8'))
    await db.batch([
      ...statements.map((statement) => db.prepare(statement)),
      db.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(name),
    ])
  }
}
