// What must be true before a deployment makes sense: each check looks at what it is given and says what to do where
// it is not. No secret's value is ever part of what is said.
import { ConfigError, parseConfig } from '../../src/config.ts'

export interface Check {
  readonly name: string
  readonly state: 'ok' | 'note' | 'failed'
  readonly says: string
  /** What to do about it; null where there is nothing to do. */
  readonly remedy: string | null
}

/** The parts of wrangler.toml that matter here. */
export interface DeployConfig {
  readonly vars: Readonly<Record<string, unknown>>
  readonly databaseId: string | null
  readonly migrations: readonly string[]
  /** Of wrangler.toml or the environment; null: wrangler chooses. */
  readonly accountId: string | null
}

const PLACEHOLDER_ID = '00000000-0000-0000-0000-000000000000'
const SECRETS = [
  'ADMIN_TOKEN',
  'KEY_PEPPER',
  'KEY_PEPPER_PREVIOUS',
  'ANTHROPIC_API_KEY',
  'ANTHROPIC_ACCOUNTS',
  'UPSTASH_REDIS_REST_TOKEN',
] as const
const PUT = 'put it into the file of --secrets-file, or run: npx wrangler secret put'

const ok = (name: string, says: string): Check => ({ name, state: 'ok', says, remedy: null })
const note = (name: string, says: string, remedy: string): Check => ({
  name,
  state: 'note',
  says,
  remedy,
})
const failed = (name: string, says: string, remedy: string): Check => ({
  name,
  state: 'failed',
  says,
  remedy,
})

export function checkDatabaseId({ databaseId }: DeployConfig): Check {
  const name = 'database'
  if (databaseId === null) {
    return failed(name, 'wrangler.toml binds no D1 database as DB', 'bring [[d1_databases]] back')
  }
  if (databaseId === PLACEHOLDER_ID) {
    const remedy = 'run: npx wrangler d1 create sluice, then put its database_id into wrangler.toml'
    return failed(name, 'database_id in wrangler.toml is still the placeholder', remedy)
  }
  return ok(name, databaseId)
}

export function checkNoSecretInVars({ vars }: DeployConfig): Check {
  const name = 'no secret in [vars]'
  const found = SECRETS.filter((secret) => Object.hasOwn(vars, secret))
  if (found.length === 0) return ok(name, 'none')
  const remedy = `take it out of wrangler.toml, change its value, and ${PUT} ${found[0]}`
  return failed(name, `${found.join(', ')} can be read by everyone who reads wrangler.toml`, remedy)
}

/**
 * Reads the numbers as the Worker will at its start. Secrets that are known only to Cloudflare are stood in for, so
 * that a bad number stops here and not there.
 */
export function checkSettings(
  config: DeployConfig,
  secrets: Readonly<Record<string, string>>,
): Check {
  const name = 'settings'
  try {
    parseConfig(withStandIns({ ...config.vars, ...secrets }))
    return ok(name, 'all can be read')
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const remedy =
      'correct [vars] in wrangler.toml or the secrets file: docs/OPERATIONS.md lists all'
    return failed(name, error.problems.join('\n'), remedy)
  }
}

function withStandIns(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const standIn = 'x'.repeat(32)
  const hasRedis = 'UPSTASH_REDIS_REST_URL' in given || 'UPSTASH_REDIS_REST_TOKEN' in given
  return {
    ADMIN_TOKEN: standIn,
    KEY_PEPPER: standIn,
    ...('ANTHROPIC_ACCOUNTS' in given ? {} : { ANTHROPIC_API_KEY: standIn }),
    ...(hasRedis
      ? { UPSTASH_REDIS_REST_URL: 'https://redis.invalid', UPSTASH_REDIS_REST_TOKEN: standIn }
      : {}),
    ...given,
  }
}

/** By name, of what is there already and of what comes with this deployment. */
export function checkSecrets(config: DeployConfig, names: readonly string[]): Check[] {
  const has = (name: string): boolean => names.includes(name) || Object.hasOwn(config.vars, name)
  const needed = (['ADMIN_TOKEN', 'KEY_PEPPER'] as const).map((name) =>
    has(name) ? ok(name, 'is there') : failed(name, 'is missing', `${PUT} ${name}`),
  )
  return [...needed, checkAccounts(has), checkRedis(has)]
}

function checkAccounts(has: (name: string) => boolean): Check {
  const name = 'accounts of Claude'
  const one = has('ANTHROPIC_API_KEY')
  const list = has('ANTHROPIC_ACCOUNTS')
  if (one && list) {
    const remedy = 'keep one of them: npx wrangler secret delete ANTHROPIC_API_KEY'
    return failed(name, 'both ANTHROPIC_API_KEY and ANTHROPIC_ACCOUNTS are there', remedy)
  }
  if (one || list) return ok(name, one ? 'ANTHROPIC_API_KEY' : 'ANTHROPIC_ACCOUNTS')
  return failed(name, 'there is no credential', `${PUT} ANTHROPIC_API_KEY`)
}

function checkRedis(has: (name: string) => boolean): Check {
  const name = 'Redis'
  const pair = ['UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN']
  const missing = pair.filter((half) => !has(half))
  if (missing.length === 0) return ok(name, 'is there')
  if (missing.length === 1) {
    return failed(
      name,
      `${missing.join()} is missing, its other half is there`,
      `${PUT} ${missing.join()}`,
    )
  }
  const says = 'there is none: each isolate counts request limits by itself'
  return note(name, says, 'for exact limits create one at Upstash: docs/DEPLOY.md')
}

/** What `wrangler whoami --json` said. */
export function checkLogin({ accountId }: DeployConfig, said: string): Check {
  const name = 'login'
  const remedy = 'run: npx wrangler login, or set CLOUDFLARE_API_TOKEN'
  const { loggedIn, accounts = [] } = parseLogin(said)
  if (!loggedIn) return failed(name, 'wrangler is not logged in to Cloudflare', remedy)
  if (accountId !== null || accounts.length <= 1) {
    return ok(name, accountId ?? accounts[0]?.id ?? 'logged in')
  }
  const list = accounts.map((account) => `${account.id} ${account.name}`).join('\n')
  return failed(name, `there are several accounts:\n${list}`, 'set CLOUDFLARE_ACCOUNT_ID to one')
}

interface Login {
  readonly loggedIn: boolean
  readonly accounts?: readonly { readonly id: string; readonly name: string }[]
}

function parseLogin(said: string): Login {
  try {
    return JSON.parse(said) as Login
  } catch {
    return { loggedIn: false }
  }
}

/** Those of ours that `wrangler d1 migrations list` names as not applied. */
export const pendingMigrations = ({ migrations }: DeployConfig, said: string): string[] =>
  migrations.filter((name) => said.includes(name))

export function renderCheck({ name, state, says, remedy }: Check): string {
  const mark = { ok: 'ok  ', note: 'note', failed: 'FAIL' }[state]
  const lines = says.split('\n')
  const [first = '', ...rest] = lines.length === 1 ? lines : ['', ...lines]
  return [
    `${mark}  ${name}: ${first}`.trimEnd(),
    ...rest.map((line) => `        ${line}`),
    ...(remedy === null ? [] : [`      -> ${remedy}`]),
  ].join('\n')
}
