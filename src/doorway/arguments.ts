// What a process must be told besides the settings: where it listens, where its database lies, how long it may take
// to stop. Arguments, not settings: they say how this one process stands on its machine, not how the gateway works.
import { parseArgs } from 'node:util'

export interface Arguments {
  readonly host: string
  readonly port: number
  readonly database: string
  /** How long requests may go on after the signal to stop. */
  readonly graceMs: number
}

export type ReadArguments =
  | { readonly kind: 'arguments'; readonly arguments: Arguments }
  | { readonly kind: 'help' }
  | { readonly kind: 'bad'; readonly problems: readonly string[] }

export const HELP = `Options:
  --host H           address to listen on (127.0.0.1); 0.0.0.0 for all
  --port N           port (PORT of the environment, else 8787); 0 picks a free one
  --database FILE    the SQLite file of tenants, keys and usage (.sluice/sluice.db); made where it is missing
  --grace-seconds N  how long requests may go on after SIGTERM or SIGINT (10)
Settings come from the environment: see docs/OPERATIONS.md.
`

const MAX_GRACE_SECONDS = 3_600

/** Hosting platforms name the port by PORT, so it stands in for the argument. */
export function readArguments(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ReadArguments {
  const parsed = parse(args)
  if (typeof parsed === 'string') return { kind: 'bad', problems: [parsed] }
  if (parsed.help) return { kind: 'help' }
  const problems: string[] = []
  const integer = (name: string, text: string, max: number): number => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : Infinity
    if (number > max) problems.push(`${name}: expected a whole number from 0 to ${max}`)
    return number
  }
  const portName = parsed.port === undefined && env['PORT'] !== undefined ? 'PORT' : '--port'
  const port = integer(portName, parsed.port ?? env['PORT'] ?? '8787', 65_535)
  const graceSeconds = integer('--grace-seconds', parsed['grace-seconds'], MAX_GRACE_SECONDS)
  for (const name of ['host', 'database'] as const) {
    if (parsed[name] === '') problems.push(`--${name}: is empty`)
  }
  if (problems.length > 0) return { kind: 'bad', problems }
  const { host, database } = parsed
  return { kind: 'arguments', arguments: { host, port, database, graceMs: graceSeconds * 1_000 } }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'string' },
        database: { type: 'string', default: '.sluice/sluice.db' },
        'grace-seconds': { type: 'string', default: '10' },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
