import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SETTINGS } from '../../../src/config/settings.ts'
import { ConfigError, parseConfig } from '../../../src/config.ts'

const PEPPER = 'pepper-pepper-pepper-pepper-pepper'
const ADMIN = 'admin-admin-admin-admin-admin-admin'
const MINIMAL = { ANTHROPIC_API_KEY: 'sk-ant-test', ADMIN_TOKEN: ADMIN, KEY_PEPPER: PEPPER }

describe('a good configuration', () => {
  test('needs an account and two secrets; all else has the documented default', () => {
    const config = parseConfig(MINIMAL)
    expect(config.accounts).toEqual([
      {
        id: 'default',
        apiKey: 'sk-ant-test',
        baseUrl: 'https://api.anthropic.com',
        weight: 1,
        maxConcurrent: 50,
        minConcurrent: 1,
        backup: false,
        models: ['*'],
        locationHint: null,
        draining: false,
      },
    ])
    expect(config.redis).toBeNull()
    expect(config.gate).toMatchObject({ leaseTtlMs: 60_000, leaseRenewMs: 20_000 })
    expect(config.upstream.pingMs).toBe(15_000)
    expect(config.jobs.backoffSeconds).toEqual([10, 30, 60])
    expect(config.webhooks.allowedOrigins).toEqual([])
    expect(config.bodyMaxBytes).toBe(33_554_432)
  })

  test('arrives as text or as numbers, among bindings and the variables of others', () => {
    const config = parseConfig({
      ...MINIMAL,
      SLUICE_PING_MS: '40',
      SLUICE_KEY_CACHE_MS: 0,
      SLUICE_BREAKER_FAILURE_RATIO: '0.25',
      SLUICE_RETRY_BUDGET_RATIO: 1,
      SLUICE_JOB_BACKOFF_SECONDS: 7,
      SLUICE_WEBHOOK_SCHEDULE_SECONDS: '1, 2',
      SLUICE_WEBHOOK_ALLOW: 'http://127.0.0.1:9000,https://hooks.test',
      PATH: '/bin',
      DB: { prepare: () => null },
    })
    expect(config.upstream.pingMs).toBe(40)
    expect(config.keys).toEqual({ pepper: PEPPER, previousPepper: null, cacheMs: 0 })
    expect(config.gate.breakerFailureRatio).toBe(0.25)
    expect(config.retry.budgetRatio).toBe(1)
    expect(config.jobs.backoffSeconds).toEqual([7])
    expect(config.webhooks.scheduleSeconds).toEqual([1, 2])
    expect(config.webhooks.allowedOrigins).toEqual(['http://127.0.0.1:9000', 'https://hooks.test'])
  })

  test('takes Redis when both of its settings are there', () => {
    const config = parseConfig({
      ...MINIMAL,
      UPSTASH_REDIS_REST_URL: 'https://eu1.upstash.test/',
      UPSTASH_REDIS_REST_TOKEN: 'redis-token',
    })
    expect(config.redis).toEqual({
      url: 'https://eu1.upstash.test',
      token: 'redis-token',
      timeoutMs: 250,
    })
  })

  test('lets the renewal of leases follow a life that alone was shortened', () => {
    expect(parseConfig({ ...MINIMAL, SLUICE_LEASE_TTL_MS: '900' }).gate.leaseRenewMs).toBe(300)
    expect(parseConfig({ ...MINIMAL, SLUICE_LEASE_TTL_MS: '120000' }).gate.leaseRenewMs).toBe(
      20_000,
    )
  })
})

describe('accounts', () => {
  const base = { ADMIN_TOKEN: ADMIN, KEY_PEPPER: PEPPER }
  const withAccounts = (accounts: unknown) => ({ ...base, ANTHROPIC_ACCOUNTS: accounts })

  test('are read from JSON or from a list, with the base URL for those that name none', () => {
    const list = [
      { id: 'a', api_key: 'k1' },
      {
        id: 'b',
        api_key: 'k2',
        base_url: 'http://127.0.0.1:9/x/',
        weight: 0.5,
        max_concurrent: 7,
        min_concurrent: 2,
        backup: true,
        models: ['claude-haiku-*'],
        location_hint: 'weur',
      },
    ]
    const env = { ANTHROPIC_BASE_URL: 'http://127.0.0.1:8/' }
    const fromText = parseConfig({ ...withAccounts(JSON.stringify(list)), ...env }).accounts
    expect(fromText).toEqual(parseConfig({ ...withAccounts(list), ...env }).accounts)
    expect(fromText.map((account) => account.baseUrl)).toEqual([
      'http://127.0.0.1:8',
      'http://127.0.0.1:9/x',
    ])
    expect(fromText[1]).toMatchObject({ weight: 0.5, maxConcurrent: 7, locationHint: 'weur' })
  })

  test.each<[string, unknown, RegExp]>([
    ['no account at all', [], /^ANTHROPIC_API_KEY: .*no account/],
    [
      'text that is not JSON',
      '[{"id":"a","api_key":"SECRET"',
      /^ANTHROPIC_ACCOUNTS: expected a JSON list/,
    ],
    ['an object', { id: 'a' }, /^ANTHROPIC_ACCOUNTS: expected a JSON list/],
    ['an entry that is no object', ['SECRET'], /^ANTHROPIC_ACCOUNTS\[0\]: expected an object/],
    ['a mistyped field', [{ id: 'a', api_key: 'k', wieght: 2 }], /\[0\]: unknown field wieght/],
    ['a missing key', [{ id: 'a' }], /^ANTHROPIC_ACCOUNTS\[0\]\.api_key: is missing/],
    ['a key with a line end', [{ id: 'a', api_key: 'SECRET\n' }], /\[0\]\.api_key: expected/],
    ['an id that is no name', [{ id: 'a b', api_key: 'k' }], /\[0\]\.id: expected/],
    ['a weight of 0', [{ id: 'a', api_key: 'k', weight: 0 }], /\[0\]\.weight: expected/],
    ['no room', [{ id: 'a', api_key: 'k', max_concurrent: 0 }], /\[0\]\.max_concurrent: expected/],
    [
      'a number as text',
      [{ id: 'a', api_key: 'k', max_concurrent: 'x' }],
      /max_concurrent: expected/,
    ],
    [
      'min above max',
      [{ id: 'a', api_key: 'k', min_concurrent: 51 }],
      /\[0\]\.min_concurrent: expected/,
    ],
    [
      'an unknown place',
      [{ id: 'a', api_key: 'k', location_hint: 'mars' }],
      /location_hint: expected one/,
    ],
    ['no models', [{ id: 'a', api_key: 'k', models: [] }], /\[0\]\.models: expected/],
    [
      'an id twice',
      [
        { id: 'a', api_key: 'k' },
        { id: 'a', api_key: 'l' },
      ],
      /the id a is there more/,
    ],
  ])('with %s stop the start', (_, accounts, expected) => {
    const problems = problemsOf(withAccounts(accounts))
    expect(problems).toEqual([expect.stringMatching(expected)])
    expect(problems.join()).not.toContain('SECRET')
  })

  test('come from one setting, not from both', () => {
    const env = { ...MINIMAL, ANTHROPIC_ACCOUNTS: '[{"id":"a","api_key":"k"}]' }
    expect(problemsOf(env)).toEqual([expect.stringMatching(/not both$/)])
  })
})

describe('a bad configuration', () => {
  test('is one error that lists every problem and no value', () => {
    const problems = problemsOf({
      ANTHROPIC_API_KEY: 'SECRET key',
      UPSTASH_REDIS_REST_URL: 'https://u:SECRET@redis.test',
      ADMIN_TOKEN: 'SECRET',
      SLUICE_PING_MS: '15s SECRET',
      SLUICE_PNIG_MS: '15000',
      SLUICE_RETRY_BASE_MS: '9000',
      SLUICE_LEASE_TTL_MS: '1000',
      SLUICE_LEASE_RENEW_MS: '1000',
    })
    const names = problems.map((problem) => problem.slice(0, problem.indexOf(':')))
    expect(new Set(names)).toEqual(
      new Set([
        'ADMIN_TOKEN',
        'ANTHROPIC_API_KEY',
        'KEY_PEPPER',
        'SLUICE_LEASE_RENEW_MS',
        'SLUICE_PING_MS',
        'SLUICE_PNIG_MS',
        'SLUICE_RETRY_BASE_MS',
        'UPSTASH_REDIS_REST_TOKEN',
        'UPSTASH_REDIS_REST_URL',
      ]),
    )
    expect(names).toHaveLength(9)
    expect(problems.join('\n')).not.toContain('SECRET')
  })

  test.each(['', ' ', '0', '-1', '1.5', '1e3', '0x10', '60s', '60 000', 'NaN', '2147483648'])(
    'does not take %j for a number of milliseconds',
    (text) => {
      const problems = problemsOf({ ...MINIMAL, SLUICE_PING_MS: text })
      expect(problems).toEqual(['SLUICE_PING_MS: expected a whole number from 1 to 2147483647'])
    },
  )

  test.each([null, true, [], {}, Number.NaN, Infinity, -1, 0.5, 0])(
    'does not take the value %j for a number of milliseconds',
    (value) => {
      expect(problemsOf({ ...MINIMAL, SLUICE_PING_MS: value })).toHaveLength(1)
    },
  )

  test.each(['0', '1.01', '-0.5', '', '.5', '50%', 'NaN'])(
    'does not take %j for a ratio',
    (text) => {
      expect(problemsOf({ ...MINIMAL, SLUICE_BREAKER_FAILURE_RATIO: text })).toHaveLength(1)
    },
  )

  test.each(['', '10,,30', '10;30', '10,x', '43201'])('does not take %j for waits', (text) => {
    expect(problemsOf({ ...MINIMAL, SLUICE_JOB_BACKOFF_SECONDS: text })).toHaveLength(1)
  })

  test.each([
    '',
    'api.anthropic.com',
    'ftp://api.test',
    'https://user@api.test',
    'https://:pass@api.test',
    'https://api.test/?a=1',
    'https://api.test/#',
    'http://',
  ])('does not take %j for a base URL', (text) => {
    const problems = problemsOf({ ...MINIMAL, ANTHROPIC_BASE_URL: text })
    expect(problems).toEqual([expect.stringMatching(/^ANTHROPIC_BASE_URL: expected an http/)])
  })

  test.each(['*', 'https://a.test/', 'https://a.test/path', 'a.test', 'https://A.test', ','])(
    'does not take %j for exact origins',
    (text) => {
      expect(problemsOf({ ...MINIMAL, SLUICE_WEBHOOK_ALLOW: text })).toHaveLength(1)
    },
  )

  test.each([undefined, null, 'text', 5])('is %j instead of an environment', (env) => {
    expect(problemsOf(env)).toHaveLength(3)
  })
})

test('whatever a setting holds, the answer is a config or a ConfigError', () => {
  const name = fc.constantFrom(...Object.keys(SETTINGS))
  const anything = fc.oneof(fc.string(), fc.anything(), fc.json(), fc.double(), fc.webUrl())
  fc.assert(
    fc.property(fc.dictionary(name, anything), (changed) => {
      try {
        parseConfig({ ...MINIMAL, ...changed })
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError)
      }
    }),
  )
})

function problemsOf(env: unknown): readonly string[] {
  try {
    parseConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}
