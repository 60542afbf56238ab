import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseRateObservation } from '../../../src/core/answering/rate-headers.ts'
import { headerCaptures } from '../../support/captures.ts'

const NOW = Date.parse('2026-11-21T10:00:00Z')
const headersOf = (fields: Readonly<Record<string, string>>) => new Headers(fields)
const requests = (limit: string, remaining: string, reset?: string) =>
  parseRateObservation(
    headersOf({
      'anthropic-ratelimit-requests-limit': limit,
      'anthropic-ratelimit-requests-remaining': remaining,
      ...(reset === undefined ? {} : { 'anthropic-ratelimit-requests-reset': reset }),
    }),
    NOW,
  )

describe('parseRateObservation', () => {
  test('reads a dimension with a reset that lies ahead', () => {
    expect(requests('50', '49', '2026-11-21T10:00:55Z')).toEqual({
      requests: { limit: 50, remaining: 49, resetAt: NOW + 55_000 },
    })
  })

  test.each([
    ['is over', '2026-11-21T09:59:59Z'],
    ['is now', '2026-11-21T10:00:00Z'],
    ['is absurdly far', '2027-11-21T10:00:00Z'],
    ['is a year', '9999'],
    ['is no time', 'soon 12'],
    ['is seconds', '30'],
    ['is empty', ''],
    ['is missing', undefined],
  ])('takes no reset that %s, and still believes what remains', (_name, reset) => {
    expect(requests('50', '0', reset)).toEqual({
      requests: { limit: 50, remaining: 0, resetAt: null },
    })
  })

  test('believes no more than the limit to be left', () => {
    expect(requests('50', '60')?.requests?.remaining).toBe(50)
  })

  test.each([
    ['', '1'],
    ['-5', '1'],
    ['1e3', '1'],
    ['50', 'many'],
    ['50', '1.5'],
    ['9'.repeat(40), '1'],
  ])('leaves out a dimension of %j and %j', (limit, remaining) => {
    expect(requests(limit, remaining)).toBeNull()
  })

  test('says nothing where the answer says nothing', () => {
    expect(parseRateObservation(headersOf({ 'retry-after': '5' }), NOW)).toBeNull()
  })

  test('makes no reset of the past or beyond a day, whatever the header says', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.date({ noInvalidDate: true }).map((at) => at.toISOString()),
          fc.string(),
        ),
        (reset) => {
          const get = (name: string) => (name.endsWith('reset') ? reset : '5')
          const resetAt = parseRateObservation({ get }, NOW)?.requests?.resetAt ?? null
          if (resetAt !== null) expect(resetAt > NOW && resetAt <= NOW + 86_400_000).toBe(true)
        },
      ),
    )
  })
})

describe.skipIf(headerCaptures.length === 0)('real header sets', () => {
  test('give each dimension that they name, with a reset only where it was ahead', () => {
    let resetsAhead = 0
    let resetsOver = 0
    for (const { headers } of headerCaptures) {
      const at = headers['date'] === undefined ? NOW : Date.parse(headers['date'])
      const observation = parseRateObservation(headersOf(headers), at)
      const named = Object.entries({
        requests: 'requests',
        tokens: 'tokens',
        inputTokens: 'input-tokens',
        outputTokens: 'output-tokens',
      }).filter(([, name]) => headers[`anthropic-ratelimit-${name}-limit`] !== undefined)
      if (named.length === 0) {
        expect(observation).toBeNull()
        continue
      }
      expect(Object.keys(observation ?? {}).sort()).toEqual(named.map(([field]) => field).sort())
      for (const [field, name] of named) {
        const prefix = `anthropic-ratelimit-${name}-`
        const reset = Date.parse(headers[`${prefix}reset`] ?? '')
        const dimension = observation?.[field as 'requests']
        expect(dimension).toEqual({
          limit: Number(headers[`${prefix}limit`]),
          remaining: Number(headers[`${prefix}remaining`]),
          resetAt: reset > at ? reset : null,
        })
        if (reset > at) resetsAhead += 1
        else resetsOver += 1
      }
    }
    expect(resetsAhead).toBeGreaterThan(0)
    expect(resetsOver).toBeGreaterThan(10)
  })
})
