// `npm run deploy`: looks at everything that a deployment needs, says what to do where something is missing, and
// then runs `wrangler deploy`.
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { unstable_readConfig } from 'wrangler'
import type { DeployConfig } from './checks.ts'
import { deploy, type DeployOptions } from './deploy.ts'
import { root, wrangler } from './wrangler.ts'

const usage = `npm run deploy -- [--dry-run] [--secrets-file FILE] [--migrate] [--skip-login]
  --dry-run            everything that can be looked at offline, and a build; changes nothing
  --secrets-file FILE  secrets that come with this deployment, a JSON object; needed for the first one
  --migrate            applies the migrations that D1 lacks, without asking
  --skip-login         does not ask wrangler who is logged in
`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      'dry-run': { type: 'boolean', default: false },
      'secrets-file': { type: 'string' },
      migrate: { type: 'boolean', default: false },
      'skip-login': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  const file = values['secrets-file']
  const path = file === undefined ? undefined : resolve(file)
  const options: DeployOptions = {
    dryRun: values['dry-run'],
    skipLogin: values['skip-login'],
    migrate: values.migrate,
    secretsFile: path === undefined ? null : { path, secrets: readSecrets(path) },
  }
  const config = readConfig()
  return deploy({ config, wrangler, print: console.log, ask: isAttended() ? ask : null }, options)
}

/** What is used of what wrangler reads. */
interface ReadConfig {
  readonly vars: Readonly<Record<string, unknown>>
  readonly account_id?: string | undefined
  readonly d1_databases: readonly { readonly binding: string; readonly database_id?: string }[]
}

function readConfig(): DeployConfig {
  const config: ReadConfig = unstable_readConfig({ config: join(root, 'wrangler.toml') })
  const names = readdirSync(join(root, 'migrations'))
  return {
    vars: config.vars,
    databaseId: config.d1_databases.find(({ binding }) => binding === 'DB')?.database_id ?? null,
    migrations: names.filter((name) => name.endsWith('.sql')).sort(),
    accountId: process.env['CLOUDFLARE_ACCOUNT_ID'] ?? config.account_id ?? null,
  }
}

/** JSON alone: in the other form that wrangler takes, a `$` in a secret would be expanded. */
function readSecrets(path: string): Record<string, string> {
  const text = readFileSync(path, 'utf8')
  let secrets: unknown
  try {
    secrets = JSON.parse(text)
  } catch {
    // The parser's own words would quote the file.
  }
  const isObject = typeof secrets === 'object' && secrets !== null && !Array.isArray(secrets)
  const entries = isObject ? Object.entries(secrets as object) : []
  if (!isObject || !entries.every(([, value]) => typeof value === 'string')) {
    throw new Error('--secrets-file: expected a JSON object of names and texts')
  }
  return Object.fromEntries(entries)
}

const isAttended = (): boolean =>
  process.stdin.isTTY === true && process.stdout.isTTY === true && process.env['CI'] === undefined

async function ask(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await terminal.question(`${question} [y/N] `)
  terminal.close()
  return /^y(es)?$/i.test(answer.trim())
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  },
)
