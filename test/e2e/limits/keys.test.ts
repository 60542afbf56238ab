// Keys: who is let in, and how soon a change in D1 is seen.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatApiKey, makeApiKey } from '../../../src/core/keys/api-key.ts'
import { claudeCall, errorOf } from '../../support/claude-call.ts'
import { untilHeld } from '../../support/change-holds.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { changeDatabase } from '../../support/gateway-database.ts'
import { type RawAnswer, send } from '../../support/raw-http.ts'
import { addTenant } from '../../support/tenants.ts'

const KEY_CACHE_MS = 400
/** Between a change and our noticing that it was made. */
const MARGIN_MS = 100

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startTestGateway({ settings: { SLUICE_KEY_CACHE_MS: KEY_CACHE_MS } })
})

afterAll(() => gateway.stop())

const ask = (key: string, fields = {}): Promise<RawAnswer> =>
  send(gateway.url, claudeCall({ key, fields }))

const reasonOf = ({ headers }: RawAnswer): unknown => headers['sluice-reason']

describe('a key that works', () => {
  it.each([
    ['is disabled', 'UPDATE keys SET disabled = 1 WHERE id = ?', 401, 'key_revoked'],
    ['is deleted', 'DELETE FROM keys WHERE id = ?', 401, 'key_unknown'],
    [
      "loses its tenant's consent",
      'UPDATE tenants SET disabled = 1 WHERE id = (SELECT tenant FROM keys WHERE id = ?)',
      403,
      'tenant_disabled',
    ],
  ])('and then %s is refused within the cache time', async (_, sql, status, reason) => {
    const { key, keyId } = await addTenant(gateway.dir)
    expect((await ask(key)).status).toBe(200)
    expect(changeDatabase(gateway.dir, sql, keyId)).toBe(1)
    const { answer: refused, heldAfterMs } = await untilHeld(
      () => ask(key),
      ({ status }) => status !== 200,
    )
    expect(refused.status).toBe(status)
    expect(reasonOf(refused)).toBe(reason)
    expect(refused.headers['x-should-retry']).toBe('false')
    expect(heldAfterMs).toBeLessThan(KEY_CACHE_MS + MARGIN_MS)
  })

  it('ends at its very time, remembered or not', async () => {
    const { key, keyId } = await addTenant(gateway.dir)
    const expiresAt = Date.now() + 1_500
    changeDatabase(gateway.dir, 'UPDATE keys SET expires_at = ? WHERE id = ?', expiresAt, keyId)
    expect((await ask(key)).status).toBe(200)
    const leftMs = expiresAt - Date.now()
    const { answer, heldAfterMs } = await untilHeld(
      () => ask(key),
      ({ status }) => status !== 200,
    )
    expect(reasonOf(answer)).toBe('key_expired')
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt)
    expect(heldAfterMs).toBeLessThan(leftMs + MARGIN_MS)
  })

  it('may use the models of its list, and sees no others', async () => {
    const { key } = await addTenant(gateway.dir, { models: ['claude-haiku-*'] })
    expect((await ask(key, { model: 'claude-haiku-5-5' })).status).toBe(200)
    const refused = await ask(key, { model: 'claude-opus-5' })
    expect(refused.status).toBe(403)
    expect(reasonOf(refused)).toBe('model_not_allowed')
    expect(errorOf(refused).error.type).toBe('permission_error')
    const list = await send(gateway.url, {
      path: '/v1/models?limit=1000',
      headers: [
        ['x-api-key', key],
        ['anthropic-version', '2023-06-01'],
      ],
    })
    const { data } = JSON.parse(list.body.toString()) as { data: { id: string }[] }
    expect(data.length).toBeGreaterThan(0)
    expect(data.filter(({ id }) => !id.startsWith('claude-haiku-'))).toEqual([])
  })

  it('may be used by browsers of its origins only', async () => {
    const { key } = await addTenant(gateway.dir, {
      settings: { origins: ['https://app.example'] },
    })
    const from = (origin: string) =>
      send(gateway.url, claudeCall({ key, headers: [['origin', origin]] }))
    const allowed = await from('https://app.example')
    expect(allowed.status).toBe(200)
    expect(allowed.headers['access-control-allow-origin']).toBe('https://app.example')
    const refused = await from('https://evil.example')
    expect(refused.status).toBe(403)
    expect(reasonOf(refused)).toBe('origin_not_allowed')
  })
})

describe('a key that does not work', () => {
  it('is told which way, without a word on others', async () => {
    const real = gateway.keys.premium
    const other = makeApiKey(randomBytes(64)).text
    // The id of a real key with another secret, and a check that fits.
    const forged = forge(real)
    for (const [key, reason] of [
      ['', 'key_missing'],
      ['sk-ant-api03-x', 'key_malformed'],
      [`${real.slice(0, -1)}${real.endsWith('0') ? '1' : '0'}`, 'key_malformed'],
      [real.toLowerCase(), 'key_malformed'],
      [other, 'key_unknown'],
      [forged, 'key_unknown'],
    ] as const) {
      const answer = await ask(key)
      expect(answer.status, reason).toBe(401)
      expect(reasonOf(answer)).toBe(reason)
      expect(errorOf(answer).error.type).toBe('authentication_error')
      expect(answer.body.toString()).not.toContain(real.slice(0, 20))
    }
  })

  const forge = (real: string): string => {
    const id = real.split('_')[1] ?? ''
    return formatApiKey(id, 'A'.repeat(32)).text
  }

  it('is remembered as unknown no longer than a key is trusted', async () => {
    const { key, keyId } = await addTenant(gateway.dir)
    changeDatabase(gateway.dir, "UPDATE keys SET id = id || '-away' WHERE id = ?", keyId)
    expect(reasonOf(await ask(key))).toBe('key_unknown')
    changeDatabase(gateway.dir, 'UPDATE keys SET id = ? WHERE id = ?', keyId, `${keyId}-away`)
    const { answer: admitted, heldAfterMs } = await untilHeld(
      () => ask(key),
      ({ status }) => status === 200,
    )
    expect(admitted.status).toBe(200)
    expect(heldAfterMs).toBeLessThan(KEY_CACHE_MS + MARGIN_MS)
  })
})
