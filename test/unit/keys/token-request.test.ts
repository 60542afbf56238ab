import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readTokenRequest } from '../../../src/core/keys/token-request.ts'

const good = { ttl_seconds: 60, origin: 'https://app.example' }

describe('a request for a token', () => {
  test('needs a time to live and an origin, and bounds nothing else by itself', () => {
    expect(readTokenRequest(good)).toEqual({
      kind: 'request',
      request: {
        ttlSeconds: 60,
        origin: 'https://app.example',
        user: '',
        models: null,
        maxRequests: null,
        budgetNanoUsd: null,
      },
    })
  })

  test('may bind a user, models, requests and dollars', () => {
    const fields = {
      ...good,
      user: 'Zoë',
      models: ['claude-haiku-*'],
      max_requests: 3,
      budget_usd: 0.000_000_001,
    }
    expect(readTokenRequest(fields)).toMatchObject({
      request: { user: 'Zoë', models: ['claude-haiku-*'], maxRequests: 3, budgetNanoUsd: 1 },
    })
  })

  test.each([
    'http://localhost:5173',
    'http://127.0.0.1:8080',
    'http://[::1]:8080',
    'https://xn--bcher-kva.example',
    'https://a.b-c.example:8443',
  ])('takes %s as an origin', (origin) => {
    expect(readTokenRequest({ ...good, origin })).toMatchObject({ request: { origin } })
  })

  test.each([
    '*',
    'null',
    '',
    'app.example',
    'https://app.example/',
    'https://app.example/path',
    'https://App.example',
    'https://app.example:443',
    'http://app.example:80',
    'https://user@app.example',
    'https://*.example',
    'https://app.example,https://evil.example',
    'https://app.example\nhttps://evil.example',
    'javascript:alert(1)',
    ['https://app.example'],
    undefined,
    null,
  ])('refuses %j as an origin by name', (origin) => {
    expect(readTokenRequest({ ...good, origin })).toMatchObject({
      kind: 'invalid',
      message: expect.stringMatching(/^origin: /),
    })
  })

  test.each([
    [{ ttl_seconds: undefined }, 'ttl_seconds: is missing: expected a whole number'],
    [{ ttl_seconds: 0 }, 'ttl_seconds'],
    [{ ttl_seconds: 3_601 }, 'ttl_seconds'],
    [{ ttl_seconds: 1.5 }, 'ttl_seconds'],
    [{ ttl_seconds: '60' }, 'ttl_seconds'],
    [{ user: '' }, 'user'],
    [{ user: 'x'.repeat(257) }, 'user'],
    [{ user: 'a\r\nsluice-lane: high' }, 'user'],
    [{ user: 7 }, 'user'],
    [{ models: [] }, 'models'],
    [{ models: 'claude-*' }, 'models'],
    [{ models: ['a b'] }, 'models'],
    [{ models: Array.from({ length: 21 }, () => 'm') }, 'models'],
    [{ max_requests: 0 }, 'max_requests'],
    [{ max_requests: 1.5 }, 'max_requests'],
    [{ max_requests: 1e21 }, 'max_requests'],
    [{ budget_usd: 0 }, 'budget_usd'],
    [{ budget_usd: -1 }, 'budget_usd'],
    [{ budget_usd: '1' }, 'budget_usd'],
    [{ budget_usd: 1e7 }, 'budget_usd'],
    [{ tenant: 'other' }, 'tenant: there is no such field'],
    [{ __proto__x: 1 }, '__proto__x'],
  ])('with %j is refused by the name of the field', (fields, start) => {
    const read = readTokenRequest({ ...good, ...fields })
    expect(read.kind).toBe('invalid')
    expect(read).toMatchObject({ message: expect.stringContaining(start) })
  })

  test.each([null, [], 'text', 7, true])('that is %j is refused', (body) => {
    expect(readTokenRequest(body)).toEqual({
      kind: 'invalid',
      message: 'body: expected a JSON object',
    })
  })

  test('is never misread, whatever is sent', () => {
    const field = fc.constantFrom(
      'ttl_seconds',
      'origin',
      'user',
      'models',
      'max_requests',
      'budget_usd',
      'other',
    )
    fc.assert(
      fc.property(fc.dictionary(field, fc.jsonValue()), (fields) => {
        const read = readTokenRequest({ ...good, ...fields })
        if (read.kind === 'invalid') {
          expect(read.message).toMatch(/^\w+: /)
          return
        }
        const { ttlSeconds, origin, maxRequests, budgetNanoUsd } = read.request
        expect(ttlSeconds).toBeLessThanOrEqual(3_600)
        expect(new URL(origin).origin).toBe(origin)
        expect(maxRequests ?? 1).toBeGreaterThan(0)
        expect(budgetNanoUsd ?? 1).toBeGreaterThan(0)
      }),
    )
  })
})
