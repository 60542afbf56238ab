// D1 down (the contract, section 8): keys that are known go on for as long as they are trusted, what is not known is told
// so, nothing else is touched, and all is well within 5 s of its return.
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { makeApiKey } from '../../../src/core/keys/api-key.ts'
import { claudeCall, errorOf } from '../../support/claude-call.ts'
import { eventually } from '../../support/eventually.ts'
import { changeDatabase } from '../../support/gateway-database.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { type RawAnswer, send } from '../../support/raw-http.ts'
import { addTenant } from '../../support/tenants.ts'

const KEY_CACHE_MS = 1_500
const RECOVERY_MS = 5_000
const ORIGIN = 'https://app.example'

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startTestGateway({ settings: { SLUICE_KEY_CACHE_MS: KEY_CACHE_MS } })
})

afterAll(() => gateway.stop())

/** Every question about keys fails; the tables that usage goes to are not touched. */
const takeDown = () => changeDatabase(gateway.dir, 'ALTER TABLE keys RENAME TO keys_away')
const bringBack = () => changeDatabase(gateway.dir, 'ALTER TABLE keys_away RENAME TO keys')
let isDown = false

afterEach(() => {
  if (isDown) bringBack()
  isDown = false
})

const whileDown = () => {
  takeDown()
  isDown = true
}

const ask = (key: string, headers: [string, string][] = []): Promise<RawAnswer> =>
  send(gateway.url, claudeCall({ key, headers }))

const post = (path: string, key: string, body: unknown): Promise<RawAnswer> =>
  send(gateway.url, {
    path,
    headers: [
      ['x-api-key', key],
      ['content-type', 'application/json'],
    ],
    body: JSON.stringify(body),
  })

const expectUnavailable = (answer: RawAnswer): void => {
  expect([answer.status, answer.headers['sluice-reason']]).toEqual([503, 'store_unavailable'])
  expect(answer.headers['x-should-retry']).toBe('true')
  expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1)
  expect(errorOf(answer).error.type).toBe('overloaded_error')
  expect(answer.body.toString()).not.toMatch(/sql|table|d1_error/i)
}

describe('while D1 is down', () => {
  it('a known key goes on until it is too old, then it is told so; it works again after', async () => {
    const { key } = await addTenant(gateway.dir)
    expect((await ask(key)).status).toBe(200)
    whileDown()
    const downAt = performance.now()
    expect((await ask(key)).status).toBe(200)
    const refused = await eventually(
      () => ask(key),
      ({ status }) => status !== 200,
      { withinMs: 2 * KEY_CACHE_MS },
    )
    expectUnavailable(refused)
    expect(performance.now() - downAt).toBeLessThan(2 * KEY_CACHE_MS)
    bringBack()
    isDown = false
    const again = await eventually(
      () => ask(key),
      ({ status }) => status === 200,
      { withinMs: RECOVERY_MS },
    )
    expect(again.status).toBe(200)
  })

  it('a key that is not known here is told to come again, also a wrong one, and a malformed one is not', async () => {
    const { key } = await addTenant(gateway.dir)
    whileDown()
    expectUnavailable(await ask(key))
    expectUnavailable(await ask(makeApiKey(randomBytes(64)).text))
    expect((await ask('slk_malformed')).headers['sluice-reason']).toBe('key_malformed')
  })

  it('a token of a known key goes on, and one is made where its origin need not be kept', async () => {
    const { key } = await addTenant(gateway.dir, { settings: { origins: [ORIGIN] } })
    const make = () => post('/v1/tokens', key, { ttl_seconds: 60, origin: ORIGIN })
    const { token } = JSON.parse((await make()).body.toString()) as { token: string }
    whileDown()
    expect((await ask(token, [['origin', ORIGIN]])).status).toBe(200)
    expect((await make()).status).toBe(200)
  })

  it('a stream that runs is not touched, nor is health', async () => {
    const { key } = await addTenant(gateway.dir)
    expect((await ask(key)).status).toBe(200)
    const streaming = send(
      gateway.url,
      claudeCall({
        key,
        prompt: '[sim:deltas=10][sim:gap=50]',
        fields: { stream: true },
      }),
    )
    whileDown()
    const answer = await streaming
    expect(answer.body.toString()).toContain('event: message_stop')
    expect((await send(gateway.url, { path: '/health' })).status).toBe(200)
  })
})
