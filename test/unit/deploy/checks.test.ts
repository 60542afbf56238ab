import { describe, expect, test } from 'vitest'
import {
  checkDatabaseId,
  checkLogin,
  checkNoSecretInVars,
  checkSecrets,
  checkSettings,
  type DeployConfig,
  pendingMigrations,
  renderCheck,
} from '../../../tools/deploy/checks.ts'

const config = (changes: Partial<DeployConfig> = {}): DeployConfig => ({
  vars: {},
  databaseId: '6f1c6ad0-0000-4000-8000-123456789abc',
  migrations: ['0001_tenants.sql', '0002_usage.sql'],
  accountId: null,
  ...changes,
})

describe('the database', () => {
  test('with an id of its own is fine', () => {
    expect(checkDatabaseId(config()).state).toBe('ok')
  })

  test.each([['00000000-0000-0000-0000-000000000000'], [null]])(
    'with the id %j stops the deployment',
    (databaseId) => {
      expect(checkDatabaseId(config({ databaseId }))).toMatchObject({ state: 'failed' })
    },
  )
})

describe('the settings', () => {
  const LIST = '[{"id":"a","api_key":"k"}]'

  test.each<[string, Record<string, unknown>, Record<string, string>]>([
    ['nothing but defaults', {}, {}],
    ['numbers and texts', { SLUICE_QUEUE_LENGTH: 7, SLUICE_PING_MS: '100' }, {}],
    [
      'an address of Redis whose token is a secret',
      { UPSTASH_REDIS_REST_URL: 'https://r.test' },
      {},
    ],
    ['a token of Redis whose address is there already', {}, { UPSTASH_REDIS_REST_TOKEN: 't' }],
    ['a list of accounts', {}, { ANTHROPIC_ACCOUNTS: LIST }],
  ])('%s pass', (_, vars, secrets) => {
    expect(checkSettings(config({ vars }), secrets)).toMatchObject({ state: 'ok' })
  })

  test('that are wrong are all named at once, and no secret is repeated', () => {
    const check = checkSettings(config({ vars: { SLUICE_PING_MS: 'soon', SLUICE_PIGN_MS: 1 } }), {
      ADMIN_TOKEN: 'hunter2',
      ANTHROPIC_ACCOUNTS: '[{"id":"a","api_key":"has a space"}]',
    })
    expect(check.state).toBe('failed')
    for (const name of ['SLUICE_PING_MS', 'SLUICE_PIGN_MS', 'ADMIN_TOKEN', 'api_key']) {
      expect(check.says).toContain(name)
    }
    expect(JSON.stringify(check)).not.toMatch(/hunter2|has a space/)
  })

  test('may not hold a secret in [vars]', () => {
    expect(checkNoSecretInVars(config({ vars: { SLUICE_PING_MS: 1 } })).state).toBe('ok')
    const check = checkNoSecretInVars(config({ vars: { KEY_PEPPER: 'very-secret' } }))
    expect(check.state).toBe('failed')
    expect(check.says).toContain('KEY_PEPPER')
    expect(JSON.stringify(check)).not.toContain('very-secret')
  })
})

describe('the secrets', () => {
  const states = (names: readonly string[], vars: Record<string, unknown> = {}) =>
    checkSecrets(config({ vars }), names).map(({ state }) => state)
  const needed = ['ADMIN_TOKEN', 'KEY_PEPPER', 'ANTHROPIC_API_KEY']
  const redis = ['UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN']

  test.each<[string, string[], Record<string, unknown>, string[]]>([
    ['all', [...needed, ...redis], {}, ['ok', 'ok', 'ok', 'ok']],
    ['none', [], {}, ['failed', 'failed', 'failed', 'note']],
    ['no Redis', needed, {}, ['ok', 'ok', 'ok', 'note']],
    ['half of Redis', [...needed, ...redis.slice(1)], {}, ['ok', 'ok', 'ok', 'failed']],
    [
      'the address of Redis in [vars]',
      [...needed, ...redis.slice(1)],
      { UPSTASH_REDIS_REST_URL: 'https://r.test' },
      ['ok', 'ok', 'ok', 'ok'],
    ],
    [
      'both kinds of accounts',
      [...needed, 'ANTHROPIC_ACCOUNTS'],
      {},
      ['ok', 'ok', 'failed', 'note'],
    ],
  ])('%s', (_, names, vars, expected) => {
    expect(states(names, vars)).toEqual(expected)
  })

  test('that are missing come with what to do', () => {
    for (const check of checkSecrets(config(), [])) expect(check.remedy).toBeTruthy()
  })
})

describe('the login', () => {
  const accounts = [
    { id: 'a1', name: 'One' },
    { id: 'a2', name: 'Two' },
  ]
  const said = (count: number) =>
    JSON.stringify({ loggedIn: true, accounts: accounts.slice(0, count) })

  test.each<[string, string, string | null, string]>([
    ['nobody', '{"loggedIn":false}', null, 'failed'],
    ['something that is no JSON', 'You are not authenticated', null, 'failed'],
    ['one account', said(1), null, 'ok'],
    ['two accounts', said(2), null, 'failed'],
    ['two accounts, one of them named', said(2), 'a2', 'ok'],
  ])('%s', (_, text, accountId, state) => {
    expect(checkLogin(config({ accountId }), text).state).toBe(state)
  })

  test('to several accounts lists them', () => {
    const check = checkLogin(config(), said(2))
    expect(check.says).toContain('a2 Two')
    expect(renderCheck(check)).toContain('        a2 Two\n')
  })
})

test('pending migrations are those of ours that wrangler lists', () => {
  expect(pendingMigrations(config(), '│ 0002_usage.sql │')).toEqual(['0002_usage.sql'])
  expect(pendingMigrations(config(), '✅ No migrations to apply!')).toEqual([])
})
