// The options of `npm run create-key`, read into a tenant, a key and the place where both shall be stored.
import { parseArgs } from 'node:util'
import { findProblems, type NewKey } from './key-sql.ts'

export const KEY_USAGE = `npm run create-key -- --tenant ID (--remote | --local | --database FILE | --print) [...]
  --tenant ID         an id of your choice; one that is there already gets one more key
  --remote            into the D1 database of wrangler.toml, in your Cloudflare account
  --local             into the local copy of it that wrangler uses (--persist-to DIR: another one)
  --database FILE     into the SQLite file of a gateway on Bun or Deno
  --print             into nothing: prints the SQL
  --tier NAME         the tier of a new tenant (premium)
  --tenant-name TEXT  the name of a new tenant (its id)
  --origins A,B       the browser origins of a new tenant, * for any (none)
  --name TEXT         the name of the key (first)
KEY_PEPPER must be in the environment, the same that the gateway has.
`

export interface KeyOptions {
  readonly key: Omit<NewKey, 'keyId' | 'secretHash' | 'createdAt'>
  readonly target: KeyTarget
}

export type KeyTarget =
  | { readonly kind: 'd1'; readonly flags: readonly string[] }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'print' }

export type ReadKeyOptions =
  | { readonly kind: 'options'; readonly options: KeyOptions }
  | { readonly kind: 'help' }
  | { readonly kind: 'bad'; readonly problems: readonly string[] }

export function readKeyOptions(args: readonly string[]): ReadKeyOptions {
  const values = parse(args)
  if (typeof values === 'string') return { kind: 'bad', problems: [values] }
  if (values.help) return { kind: 'help' }
  const { tenant = '', tier } = values
  const origins = values.origins?.split(',').map((origin) => origin.trim()) ?? null
  const targets = targetsOf(values)
  const [target] = targets
  const problems = findProblems({ tenant, tier, origins })
  if (targets.length !== 1) {
    problems.push('expected exactly one of --remote, --local, --database and --print')
  }
  if (target === undefined || problems.length > 0) return { kind: 'bad', problems }
  const key = {
    tenant,
    tenantName: values['tenant-name'] ?? tenant,
    tier,
    keyName: values.name,
    origins,
  }
  return { kind: 'options', options: { key, target } }
}

type Values = Exclude<ReturnType<typeof parse>, string>

function targetsOf(values: Values): KeyTarget[] {
  const persist = values['persist-to']
  const local = ['--local', ...(persist === undefined ? [] : ['--persist-to', persist])]
  return [
    ...(values.remote ? [{ kind: 'd1', flags: ['--remote'] } as const] : []),
    ...(values.local ? [{ kind: 'd1', flags: local } as const] : []),
    ...(values.database === undefined ? [] : [{ kind: 'file', path: values.database } as const]),
    ...(values.print ? [{ kind: 'print' } as const] : []),
  ]
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        tenant: { type: 'string' },
        'tenant-name': { type: 'string' },
        tier: { type: 'string', default: 'premium' },
        name: { type: 'string', default: 'first' },
        origins: { type: 'string' },
        remote: { type: 'boolean', default: false },
        local: { type: 'boolean', default: false },
        'persist-to': { type: 'string' },
        database: { type: 'string' },
        print: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
