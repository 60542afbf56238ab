// What is compared: no gateway, the floor twice (the second time as its own control), Sluice with everything on, and
// a peer. Each is a process of its own on the proxies' core, and idle while another one is measured.
import { type ChildProcess, execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { newKey, seedStatements } from '../tools/dev/seed.ts'
import { root } from '../tools/dev/bundle.ts'
import { PROXY_CORE, spawnPinned } from './cores.ts'
import type { Neighbours } from './neighbours.ts'
import { bundle, d1, end, objects, startWorkerd, text, type RunningWorkerd } from './workerd.ts'

export interface Subject {
  readonly name: string
  readonly port: number
  /** 0: there is no process to be measured. */
  readonly pid: number
  readonly headers: Readonly<Record<string, string>>
  stop(): Promise<void>
}

export interface SubjectOptions {
  readonly neighbours: Neighbours
  /** Where this run keeps its files. */
  readonly dir: string
}

export const direct = ({ neighbours }: SubjectOptions): Subject => ({
  name: 'direct',
  port: neighbours.claudePort,
  pid: 0,
  headers: { 'x-api-key': 'sk-ant-bench' },
  stop: async () => {},
})

const { compatibilityDate, compatibilityFlags } = readCompatibility()

export async function floor(name: string, options: SubjectOptions): Promise<Subject> {
  const workerd = await startWorkerd({
    dir: join(options.dir, name),
    sockets: ['floor'],
    parts: [
      {
        name: 'floor',
        script: await bundle('bench/worker/floor.ts'),
        compatibilityDate,
        compatibilityFlags,
        bindings: [text('UPSTREAM', claudeOf(options))],
      },
    ],
  })
  return subjectOf(name, workerd, 'floor', { 'x-api-key': 'sk-ant-bench' })
}

export interface SluiceOptions {
  /** Where the entry lies: another one for experiments. */
  readonly entry?: string
  readonly name?: string
  /** Settings beside those of the benchmark. */
  readonly settings?: Readonly<Record<string, string>>
  readonly v8Flags?: readonly string[]
  readonly args?: readonly string[]
}

/** Keys from D1, both request windows in the store, the gate with its SQLite on disk, metering, one line of log. */
export async function sluice(
  options: SubjectOptions,
  { entry, name = 'sluice', settings = {}, v8Flags, args }: SluiceOptions = {},
): Promise<Subject> {
  const { neighbours } = options
  const pepper = 'bench-pepper-bench-pepper-bench-pepper'
  const bindings = {
    ADMIN_TOKEN: 'bench-admin-bench-admin-bench-admin',
    KEY_PEPPER: pepper,
    ANTHROPIC_BASE_URL: claudeOf(options),
    ANTHROPIC_ACCOUNTS: JSON.stringify([
      // Wide enough that no call waits: what a gate costs is measured, not what it holds back.
      { id: 'bench', api_key: 'sk-ant-bench', max_concurrent: 5_000, min_concurrent: 5_000 },
    ]),
    UPSTASH_REDIS_REST_URL: neighbours.storeUrl,
    UPSTASH_REDIS_REST_TOKEN: neighbours.storeToken,
    ...settings,
  }
  const workerd = await startWorkerd({
    dir: join(options.dir, name),
    sockets: ['sluice', 'd1'],
    ...(v8Flags === undefined ? {} : { v8Flags }),
    ...(args === undefined ? {} : { args }),
    parts: [
      {
        name: 'd1',
        script: await bundle('bench/worker/d1.ts'),
        compatibilityDate,
        objects: ['Database'],
        bindings: [objects('DATABASE', 'Database')],
      },
      {
        name: 'sluice',
        script: await bundle(entry ?? 'bench/worker/sluice.ts'),
        compatibilityDate,
        compatibilityFlags,
        objects: ['AccountGate', 'TenantLedger'],
        bindings: [
          objects('ACCOUNT_GATE', 'AccountGate'),
          objects('TENANT_LEDGER', 'TenantLedger'),
          d1('DB', 'd1'),
          ...Object.entries(bindings).map(([setting, value]) => text(setting, value)),
        ],
      },
    ],
  })
  const key = newKey(crypto.getRandomValues(new Uint8Array(256)))
  await fillDatabase(`http://127.0.0.1:${workerd.ports.get('d1') ?? 0}`, pepper, key)
  return subjectOf(name, workerd, 'sluice', { 'x-api-key': key })
}

const subjectOf = (
  name: string,
  workerd: RunningWorkerd,
  socket: string,
  headers: Readonly<Record<string, string>>,
): Subject => ({
  name,
  pid: workerd.pid,
  port: workerd.ports.get(socket) ?? 0,
  headers,
  stop: () => workerd.stop(),
})

const claudeOf = ({ neighbours }: SubjectOptions): string =>
  `http://127.0.0.1:${neighbours.claudePort}`

/** The schema as it is migrated, and a tenant whose limits, each of them there, count every request and refuse none. */
async function fillDatabase(url: string, pepper: string, key: string): Promise<void> {
  const migrations = readdirSync(join(root, 'migrations'))
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => ({ sql: readFileSync(join(root, 'migrations', name), 'utf8') }))
  const seeds = await seedStatements({
    pepper,
    keys: {
      free: newKey(crypto.getRandomValues(new Uint8Array(256))),
      premium: key,
      enterprise: newKey(crypto.getRandomValues(new Uint8Array(256))),
    },
  })
  const queries = [
    ...migrations,
    ...seeds.map(({ sql, values }) => ({ sql, params: values })),
    {
      sql: `UPDATE tiers SET requests_per_minute = 100000000, requests_per_hour = 100000000,
        max_concurrent = 10000, input_tokens_per_minute = 1000000000000,
        output_tokens_per_minute = 1000000000000, budget_usd_per_day = 1000000
        WHERE name = 'premium'`,
    },
  ]
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(queries) })
  const answer = await response.text()
  if (answer.includes('"success":false')) throw new Error(`Cannot fill the database: ${answer}`)
}

export const PORTKEY_VERSION = '1.15.2'

/** Nothing on: no keys, no limits, no store. Null with the reason where it cannot be had. */
export async function portkey(options: SubjectOptions): Promise<Subject | string> {
  const peers = join(import.meta.dirname, 'peers')
  const script = join(peers, 'node_modules/@portkey-ai/gateway/build/start-server.js')
  if (!existsSync(script)) {
    try {
      execFileSync('npm', ['ci', '--prefix', peers, '--ignore-scripts'], { stdio: 'ignore' })
    } catch {
      return `not measured: @portkey-ai/gateway ${PORTKEY_VERSION} could not be installed`
    }
  }
  const port = await freePort()
  const child = spawnPinned(
    PROXY_CORE,
    [process.execPath, script, `--port=${port}`, '--headless'],
    {
      stdio: 'ignore',
      env: { ...process.env, NODE_ENV: 'production' },
    },
  )
  if (!(await isListening(port, child))) return 'not measured: it did not start'
  return {
    name: 'portkey',
    port,
    pid: child.pid ?? 0,
    headers: {
      'x-api-key': 'sk-ant-bench',
      authorization: 'Bearer sk-ant-bench',
      'x-portkey-provider': 'anthropic',
      'x-portkey-custom-host': `${claudeOf(options)}/v1`,
    },
    stop: () => end(child),
  }
}

async function isListening(port: number, child: ChildProcess): Promise<boolean> {
  for (let tries = 0; tries < 100 && child.exitCode === null; tries += 1) {
    const answered = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    )
    if (answered) return true
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return false
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

/** What the Worker is deployed with. */
function readCompatibility(): { compatibilityDate: string; compatibilityFlags: string[] } {
  const toml = readFileSync(join(root, 'wrangler.toml'), 'utf8')
  const flags = /^compatibility_flags\s*=\s*\[(.*)\]/m.exec(toml)?.[1] ?? ''
  return {
    compatibilityDate: /^compatibility_date\s*=\s*"(.*)"/m.exec(toml)?.[1] ?? '2026-10-23',
    compatibilityFlags: [...flags.matchAll(/"([^"]+)"/g)].map(([, flag = '']) => flag),
  }
}
