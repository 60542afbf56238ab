// The order of a deployment, with a wrangler that says what it is told to say.
import { expect, test } from 'vitest'
import { deploy, type DeployOptions, type DeployWorld } from '../../../tools/deploy/deploy.ts'
import type { WranglerResult } from '../../../tools/deploy/wrangler.ts'

const SECRETS = ['ADMIN_TOKEN', 'KEY_PEPPER', 'ANTHROPIC_API_KEY']
const listOf = (names: readonly string[]) => JSON.stringify(names.map((name) => ({ name })))
const said = (stdout: string): WranglerResult => ({ code: 0, stdout, stderr: '' })
const refused = (stderr: string): WranglerResult => ({ code: 1, stdout: '', stderr })

const READY: Readonly<Record<string, WranglerResult>> = {
  'whoami --json': said('{"loggedIn":true,"accounts":[{"id":"a","name":"A"}]}'),
  'secret list --format json': said(listOf(SECRETS)),
  'd1 migrations list DB --remote': said('No migrations to apply!'),
  'd1 migrations apply DB --remote': said(''),
  'deploy --minify': said(''),
  'deploy --dry-run --minify': said(''),
}

interface Told {
  readonly answers?: Readonly<Record<string, WranglerResult>>
  readonly databaseId?: string
  readonly vars?: Readonly<Record<string, unknown>>
  readonly ask?: DeployWorld['ask']
  readonly options?: Partial<DeployOptions>
}

async function run({ answers, databaseId = 'd', vars = {}, ask = null, options }: Told) {
  const calls: string[] = []
  const lines: string[] = []
  const world: DeployWorld = {
    config: { vars, databaseId, migrations: ['0001_a.sql', '0002_b.sql'], accountId: null },
    wrangler: async (args) => {
      const call = args.join(' ')
      calls.push(call)
      const answer = { ...READY, ...answers }[call]
      if (answer === undefined) throw new Error(`wrangler ${call}: not expected`)
      return answer
    },
    print: (line) => void lines.push(line),
    ask,
  }
  const code = await deploy(world, {
    dryRun: false,
    skipLogin: false,
    migrate: false,
    secretsFile: null,
    ...options,
  })
  return { code, calls, text: lines.join('\n') }
}

const PENDING = { 'd1 migrations list DB --remote': said('│ 0002_b.sql │') }

test('where everything is there, it is checked in order and deployed', async () => {
  const { code, calls, text } = await run({})
  expect(code).toBe(0)
  expect(calls).toEqual([
    'whoami --json',
    'secret list --format json',
    'd1 migrations list DB --remote',
    'deploy --minify',
  ])
  expect(text).not.toContain('FAIL')
})

test.each<[string, Told]>([
  ['the placeholder of a database', { databaseId: '00000000-0000-0000-0000-000000000000' }],
  ['a bad number', { vars: { SLUICE_QUEUE_LENGTH: -1 } }],
  ['a secret among the vars', { vars: { ADMIN_TOKEN: 'x'.repeat(40) } }],
])('%s stops before wrangler is asked anything', async (_, told) => {
  const { code, calls, text } = await run(told)
  expect([code, calls]).toEqual([1, []])
  expect(text).toMatch(/FAIL[^]*-> /)
})

test('without a login nothing else is asked, unless the question is skipped', async () => {
  const answers = { 'whoami --json': { code: 1, stdout: '{"loggedIn":false}', stderr: '' } }
  const stopped = await run({ answers })
  expect([stopped.code, stopped.calls]).toEqual([1, ['whoami --json']])
  const skipped = await run({ answers, options: { skipLogin: true } })
  expect(skipped.code).toBe(0)
  expect(skipped.calls).not.toContain('whoami --json')
})

test('a Worker that was never deployed has no secrets: they come with the file', async () => {
  const answers = {
    'secret list --format json': refused('✘ [ERROR] Worker "sluice" not found.'),
    'deploy --minify --secrets-file s.json': said(''),
  }
  const without = await run({ answers })
  expect(without.code).toBe(1)
  expect(without.text).toContain('--secrets-file')
  const secrets = {
    ADMIN_TOKEN: 'a'.repeat(32),
    KEY_PEPPER: 'p'.repeat(32),
    ANTHROPIC_API_KEY: 'k',
  }
  const given = await run({ answers, options: { secretsFile: { path: 's.json', secrets } } })
  expect(given.code).toBe(0)
  expect(given.calls.at(-1)).toBe('deploy --minify --secrets-file s.json')
  expect(given.text).not.toContain('aaaa')
})

test('secrets that cannot be listed stop it with what wrangler said', async () => {
  const answers = { 'secret list --format json': refused('Authentication error [code: 10000]') }
  const { code, text } = await run({ answers })
  expect(code).toBe(1)
  expect(text).toContain('Authentication error [code: 10000]')
})

test('a secret that is missing stops it and says how to put it', async () => {
  const answers = { 'secret list --format json': said(listOf(SECRETS.slice(1))) }
  const { code, text, calls } = await run({ answers })
  expect(code).toBe(1)
  expect(text).toContain('wrangler secret put ADMIN_TOKEN')
  expect(calls).not.toContain('deploy --minify')
})

test('migrations that D1 lacks stop it where nobody can be asked', async () => {
  const { code, calls, text } = await run({ answers: PENDING })
  expect(code).toBe(1)
  expect(text).toContain('0002_b.sql')
  expect(text).toContain('--migrate')
  expect(calls).not.toContain('d1 migrations apply DB --remote')
})

test.each<[string, Told, boolean]>([
  ['by the flag', { options: { migrate: true } }, true],
  ['by a yes', { ask: async () => true }, true],
  ['not by a no', { ask: async () => false }, false],
])('migrations are applied before the deployment %s', async (_, told, applied) => {
  const { code, calls } = await run({ answers: PENDING, ...told })
  expect(code).toBe(applied ? 0 : 1)
  expect(calls.slice(3)).toEqual(
    applied ? ['d1 migrations apply DB --remote', 'deploy --minify'] : [],
  )
})

test('a migration that fails stops it', async () => {
  const answers = { ...PENDING, 'd1 migrations apply DB --remote': refused('near "CREAT"') }
  const { code, calls, text } = await run({ answers, options: { migrate: true } })
  expect(code).toBe(1)
  expect(text).toContain('near "CREAT"')
  expect(calls).not.toContain('deploy --minify')
})

test('the exit code is that of wrangler', async () => {
  const { code, text } = await run({ answers: { 'deploy --minify': { ...refused(''), code: 3 } } })
  expect(code).toBe(3)
  expect(text).not.toContain('Deployed.')
})

test('a dry run asks nobody, and a database still to be made is no fault', async () => {
  const placeholder = '00000000-0000-0000-0000-000000000000'
  const dry = await run({ databaseId: placeholder, options: { dryRun: true } })
  expect([dry.code, dry.calls]).toEqual([0, ['deploy --dry-run --minify']])
  expect(dry.text).toContain('note  database')
  const bad = await run({ vars: { SLUICE_PING_MS: 'soon' }, options: { dryRun: true } })
  expect(bad.code).toBe(1)
  const broken = { 'deploy --dry-run --minify': refused('Could not resolve') }
  expect((await run({ answers: broken, options: { dryRun: true } })).code).toBe(1)
})
