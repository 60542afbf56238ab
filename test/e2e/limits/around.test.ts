// Limits around all tenants, over HTTP: by address, for the whole deployment, and for those who guess keys. On the
// machine's own socket nobody sets `cf-connecting-ip` but the caller, so a test may come from wherever it likes.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeApiKey } from '../../../src/core/keys/api-key.ts'
import { claudeCall, errorOf } from '../../support/claude-call.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { type RawAnswer, send } from '../../support/raw-http.ts'

const PER_ADDRESS = 10
const IN_ALL = 40
const FAILURES = 20

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startTestGateway({
    settings: {
      SLUICE_IP_REQUESTS_PER_MINUTE: PER_ADDRESS,
      SLUICE_GLOBAL_REQUESTS_PER_MINUTE: IN_ALL,
      SLUICE_AUTH_FAILURES_PER_MINUTE: FAILURES,
      SLUICE_REDIS_TIMEOUT_MS: 2_000,
    },
  })
  gateway.simulator.sim.canned.set('ok', Buffer.from('{"type":"message"}'))
})

afterAll(() => gateway.stop())

const ask = (address: string, key = gateway.keys.enterprise): Promise<RawAnswer> =>
  send(
    gateway.url,
    claudeCall({
      key,
      fault: 'canned=ok;type=application/json',
      headers: [['cf-connecting-ip', address]],
    }),
  )

const many = (count: number, address: string, key?: string): Promise<RawAnswer[]> =>
  Promise.all(Array.from({ length: count }, () => ask(address, key)))

const countOf = (answers: readonly RawAnswer[], status: number): number =>
  answers.filter((answer) => answer.status === status).length

it('exactly as many as the limit are let in from one address, the rest are told when to come back', async () => {
  const answers = await many(30, '203.0.113.1')
  expect(countOf(answers, 200)).toBe(PER_ADDRESS)
  const refused = answers.filter(({ status }) => status === 429)
  expect(refused).toHaveLength(30 - PER_ADDRESS)
  for (const answer of refused) {
    expect(answer.headers['sluice-reason']).toBe('ip_requests')
    expect(answer.headers['x-should-retry']).toBe('true')
    expect(errorOf(answer).error.type).toBe('rate_limit_error')
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(50)
    // What holds around all tenants is nobody's to see.
    expect(String(answer.headers['ratelimit'] ?? '')).not.toContain('address')
  }
  // Another tenant from there is refused as well, before its key is looked at; one from elsewhere is not.
  expect((await ask('203.0.113.1', gateway.keys.premium)).headers['sluice-reason']).toBe(
    'ip_requests',
  )
  expect((await ask('203.0.113.2', gateway.keys.premium)).status).toBe(200)
})

it('a header that anyone may send names no address', async () => {
  const answer = await send(
    gateway.url,
    claudeCall({
      key: gateway.keys.enterprise,
      fault: 'canned=ok;type=application/json',
      headers: [['x-forwarded-for', '203.0.113.1']],
    }),
  )
  expect(answer.status).toBe(200)
})

it('wrong keys make no store call, and above their limit unknown ones are not looked for', async () => {
  const address = '203.0.113.77'
  const redisBefore = gateway.redis.stats().http_requests
  const newKey = () => makeApiKey(randomBytes(64)).text
  for (let index = 0; index < FAILURES; index += 1) {
    const answer = await ask(address, index % 2 === 0 ? newKey() : 'slk_wrong')
    expect(answer.status).toBe(401)
  }
  const refused = await ask(address, newKey())
  expect([refused.status, refused.headers['sluice-reason']]).toEqual([429, 'ip_requests'])
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(50)
  expect(gateway.redis.stats().http_requests).toBe(redisBefore)
  expect((await ask('203.0.113.78', newKey())).status).toBe(401)
  // Those who are known here go on.
  expect((await ask(address)).status).toBe(200)
})

it('the whole deployment has a limit, whoever calls from wherever', async () => {
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      ask(`198.51.100.${index}`, index % 2 === 0 ? gateway.keys.premium : gateway.keys.enterprise),
    ),
  )
  expect(countOf(answers, 200)).toBeLessThan(IN_ALL)
  expect(countOf(answers, 200)).toBeGreaterThan(IN_ALL - 3 * PER_ADDRESS)
  const refused = answers.filter(({ status }) => status === 429)
  expect(refused.length).toBe(60 - countOf(answers, 200))
  for (const answer of refused) expect(answer.headers['sluice-reason']).toBe('global_requests')
})
