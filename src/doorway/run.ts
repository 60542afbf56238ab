// The life of a gateway that is a process: start or say everything that is wrong, serve, and on a signal stop taking
// requests, let those that run come to their end, and keep what they used.
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { logToConsole } from '../adapters/console-log.ts'
import { configure, type SqliteDatabase } from '../adapters/sqlite/database.ts'
import { migrateSqlite, readMigrations } from '../adapters/sqlite/migrate.ts'
import { type Config, ConfigError, parseConfig } from '../config.ts'
import { type Arguments, HELP, readArguments } from './arguments.ts'
import { openGateway, type ProcessGateway } from './gateway.ts'

export interface ListenOptions {
  readonly host: string
  readonly port: number
  readonly fetch: ProcessGateway['fetch']
}

export interface Listener {
  readonly port: number
  /** Takes no new connections, where the runtime can; resolves once every answer is out. */
  close(): Promise<void>
  /** Cuts the connections that are left: their requests see that the caller is gone. */
  cut(): void
}

/** What differs between the runtimes. */
export interface Runtime {
  readonly name: string
  openDatabase(path: string): SqliteDatabase
  listen(options: ListenOptions): Listener
}

const MIGRATIONS = join(import.meta.dirname, '../../migrations')
/** After the connections were cut, for the settlements and the usage. */
const LAST_WORK_MS = 5_000

export function runGateway(runtime: Runtime): void {
  const read = readArguments(process.argv.slice(2), process.env)
  if (read.kind === 'help') return void process.stdout.write(HELP)
  const config = readConfig()
  if (read.kind === 'bad' || config instanceof ConfigError) {
    if (read.kind === 'bad') console.error(`${listProblems(read.problems)}\n${HELP}`)
    if (config instanceof ConfigError) console.error(config.message)
    process.exit(1)
  }
  try {
    serve(runtime, config, read.arguments)
  } catch (error) {
    console.error(`Cannot start: ${error instanceof Error ? error.message : String(error)}`)
    process.exit(1)
  }
}

/** What the gateway itself could not foresee passes. */
function readConfig(): Config | ConfigError {
  try {
    return parseConfig(process.env)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
}

const listProblems = (problems: readonly string[]): string =>
  `The arguments have problems:\n${problems.map((line) => `  - ${line}`).join('\n')}`

function serve(runtime: Runtime, config: Config, { host, port, ...rest }: Arguments): void {
  mkdirSync(dirname(rest.database), { recursive: true })
  const db = runtime.openDatabase(rest.database)
  configure(db)
  migrateSqlite(db, readMigrations(MIGRATIONS))
  const gateway = openGateway({ config, db, log: logToConsole })
  const listener = runtime.listen({ host, port, fetch: gateway.fetch })
  onStop(async (code) => {
    await stop(listener, gateway, rest.graceMs)
    db.close()
    process.exit(code)
  })
  const address = host.includes(':') ? `[${host}]` : host
  logToConsole({
    event: 'listening',
    runtime: runtime.name,
    url: `http://${address}:${listener.port}`,
  })
}

function onStop(stopWith: (code: number) => Promise<void>): void {
  let stopping = false
  const begin = (code: number): void => {
    // Told twice: at once.
    if (stopping) process.exit(1)
    stopping = true
    void stopWith(code)
  }
  process.on('SIGTERM', () => begin(0))
  process.on('SIGINT', () => begin(0))
  // One request's stray promise must not end the others; a broken state must, but not before they are settled.
  process.on('unhandledRejection', (error: unknown) =>
    logToConsole({ event: 'unhandled_rejection', error: String(error) }),
  )
  process.on('uncaughtException', (error: unknown) => {
    logToConsole({ event: 'uncaught_exception', error: String(error) })
    if (!stopping) begin(1)
  })
}

async function stop(listener: Listener, gateway: ProcessGateway, graceMs: number): Promise<void> {
  logToConsole({ event: 'stopping' })
  gateway.drain()
  const ended = listener.close().then(() => gateway.settled())
  if (!(await isWithin(ended, graceMs))) {
    listener.cut()
    // A stream that is cut settles its usage, which need not wait for the runtime's own bookkeeping.
    const settled = gateway.settled()
    if (!(await isWithin(settled, LAST_WORK_MS))) logToConsole({ event: 'stopped_with_work_left' })
  }
  gateway.close()
}

async function isWithin(work: Promise<void>, withinMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), withinMs)
  })
  const done = await Promise.race([work.then(() => true as const), late])
  clearTimeout(timer)
  return done
}
