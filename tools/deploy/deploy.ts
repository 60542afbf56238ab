// The way of a deployment: what can be checked offline, then the login, the secrets and the migrations, then
// wrangler. It stops at the first stage in which something fails, and says everything that failed there.
import {
  type Check,
  checkDatabaseId,
  checkLogin,
  checkNoSecretInVars,
  checkSecrets,
  checkSettings,
  type DeployConfig,
  pendingMigrations,
  renderCheck,
} from './checks.ts'
import { reasonOf, type WranglerOptions, type WranglerResult } from './wrangler.ts'

export interface DeployOptions {
  readonly dryRun: boolean
  readonly skipLogin: boolean
  /** True: apply without asking. */
  readonly migrate: boolean
  /** With its contents. */
  readonly secretsFile: { readonly path: string; readonly secrets: Record<string, string> } | null
}

export interface DeployWorld {
  readonly config: DeployConfig
  wrangler(args: readonly string[], options?: WranglerOptions): Promise<WranglerResult>
  print(text: string): void
  /** Null where nobody is there to answer. */
  readonly ask: ((question: string) => Promise<boolean>) | null
}

/** The exit code. */
export async function deploy(world: DeployWorld, options: DeployOptions): Promise<number> {
  const secrets = options.secretsFile?.secrets ?? {}
  const settings = [checkSettings(world.config, secrets), checkNoSecretInVars(world.config)]
  if (options.dryRun) return dryRun(world, settings)
  const offline = [...settings, checkDatabaseId(world.config)]
  const passed =
    tell(world, offline) &&
    (options.skipLogin || (await checkTheLogin(world))) &&
    (await checkTheSecrets(world, Object.keys(secrets))) &&
    (await applyMigrations(world, options.migrate))
  if (!passed) {
    world.print('\nNot deployed.')
    return 1
  }
  const file = options.secretsFile
  const { code } = await world.wrangler(
    ['deploy', '--minify', ...(file === null ? [] : ['--secrets-file', file.path])],
    { show: true },
  )
  world.print(code === 0 ? NEXT : '\nNot deployed: wrangler says why above.')
  return code
}

const NEXT = `
Deployed. A first key, and a look at whether all is right (URL is what wrangler printed):
  KEY_PEPPER=… npm run create-key -- --remote --tenant acme --tier premium
  npm run doctor -- --url URL --key KEY`

/** False where one failed. */
function tell(world: DeployWorld, checks: readonly Check[]): boolean {
  for (const check of checks) world.print(renderCheck(check))
  return checks.every(({ state }) => state !== 'failed')
}

/** A database that has not been made yet is work to do, and no fault of what is here. */
async function dryRun(world: DeployWorld, settings: readonly Check[]): Promise<number> {
  const database = checkDatabaseId(world.config)
  const isFit = tell(world, [
    ...settings,
    database.state === 'failed' ? { ...database, state: 'note' } : database,
  ])
  const { code } = await world.wrangler(['deploy', '--dry-run', '--minify'], { show: true })
  const isBuilt = tell(world, [
    code === 0
      ? { name: 'bundle', state: 'ok', says: 'wrangler builds it', remedy: null }
      : { name: 'bundle', state: 'failed', says: 'wrangler says why above', remedy: null },
  ])
  world.print('\nNothing was deployed. Login, secrets and migrations are not looked at offline.')
  return isFit && isBuilt ? 0 : 1
}

async function checkTheLogin(world: DeployWorld): Promise<boolean> {
  const { stdout } = await world.wrangler(['whoami', '--json'])
  return tell(world, [checkLogin(world.config, stdout)])
}

/** How wrangler speaks of a Worker that has never been deployed. */
const NO_WORKER = /Worker "[^"]*" not found|code: 10007/

async function checkTheSecrets(world: DeployWorld, given: readonly string[]): Promise<boolean> {
  const listed = await world.wrangler(['secret', 'list', '--format', 'json'])
  const isFirst = listed.code !== 0 && NO_WORKER.test(listed.stderr + listed.stdout)
  if (listed.code !== 0 && !isFirst) return tell(world, [failure('secrets', listed)])
  const there = isFirst ? [] : namesOf(listed.stdout)
  return tell(world, checkSecrets(world.config, [...there, ...given]))
}

function namesOf(said: string): string[] {
  const list = JSON.parse(said) as readonly { readonly name: string }[]
  return list.map(({ name }) => name)
}

async function applyMigrations(world: DeployWorld, migrate: boolean): Promise<boolean> {
  const name = 'migrations'
  const listed = await world.wrangler(['d1', 'migrations', 'list', 'DB', '--remote'])
  if (listed.code !== 0) return tell(world, [failure(name, listed)])
  const pending = pendingMigrations(world.config, listed.stdout)
  if (pending.length === 0) {
    return tell(world, [{ name, state: 'ok', says: 'all are applied', remedy: null }])
  }
  const question = `D1 lacks ${pending.join(', ')}. Apply now?`
  if (!migrate && !(await world.ask?.(question))) {
    const says = `D1 lacks ${pending.join(', ')}`
    return tell(world, [{ name, state: 'failed', says, remedy: 'run this again with --migrate' }])
  }
  const applied = await world.wrangler(['d1', 'migrations', 'apply', 'DB', '--remote'])
  if (applied.code !== 0) return tell(world, [failure(name, applied)])
  const says = `applied ${pending.join(', ')}`
  return tell(world, [{ name, state: 'ok', says, remedy: null }])
}

const failure = (name: string, result: WranglerResult): Check => ({
  name,
  state: 'failed',
  says: `wrangler could not tell:\n${reasonOf(result)}`,
  remedy: 'see what wrangler says: the login, the account and wrangler.toml must fit each other',
})
