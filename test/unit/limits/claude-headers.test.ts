import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { claudeHeaders, type ClaudeLimits } from '../../../src/core/limits/claude-headers.ts'

const AT = Date.UTC(2026, 10, 21, 12, 0, 0, 900)
const NONE: ClaudeLimits = {
  requests: null,
  inputTokens: null,
  outputTokens: null,
  day: null,
  month: null,
}
const PREFIX = 'anthropic-ratelimit-'
const headersOf = (limits: Partial<ClaudeLimits>) => claudeHeaders({ ...NONE, ...limits })

test('a tenant without limits gets none of them', () => {
  expect(headersOf({})).toEqual({})
})

test('requests and tokens are told as Claude does, both sides of tokens added up as well', () => {
  expect(
    headersOf({
      requests: { limit: 100, remaining: 97, resetAt: AT },
      inputTokens: { limit: 1_000_000, remaining: 999_500, resetAt: AT },
      outputTokens: { limit: 200_000, remaining: 199_000, resetAt: AT + 2_000 },
    }),
  ).toEqual({
    [`${PREFIX}requests-limit`]: '100',
    [`${PREFIX}requests-remaining`]: '97',
    [`${PREFIX}requests-reset`]: '2026-11-21T12:00:00Z',
    [`${PREFIX}input-tokens-limit`]: '1000000',
    [`${PREFIX}input-tokens-remaining`]: '999500',
    [`${PREFIX}input-tokens-reset`]: '2026-11-21T12:00:00Z',
    [`${PREFIX}output-tokens-limit`]: '200000',
    [`${PREFIX}output-tokens-remaining`]: '199000',
    [`${PREFIX}output-tokens-reset`]: '2026-11-21T12:00:02Z',
    [`${PREFIX}tokens-limit`]: '1200000',
    [`${PREFIX}tokens-remaining`]: '1198500',
    [`${PREFIX}tokens-reset`]: '2026-11-21T12:00:02Z',
  })
})

test('with one side of tokens unlimited there is no sum', () => {
  const headers = headersOf({ inputTokens: { limit: 10, remaining: 1, resetAt: AT } })
  expect(Object.keys(headers).filter((name) => name.includes('-tokens-limit'))).toEqual([
    `${PREFIX}input-tokens-limit`,
  ])
})

describe('budgets', () => {
  const day = { limit: 100, left: 58, resetAt: AT }
  const month = { limit: 1_000, left: 150, resetAt: AT + 86_400_000 }

  test('are told as the windows of a plan, the day as five hours, the month as seven days', () => {
    expect(headersOf({ day, month })).toEqual({
      [`${PREFIX}unified-status`]: 'allowed_warning',
      [`${PREFIX}unified-representative-claim`]: 'seven_day',
      [`${PREFIX}unified-reset`]: String(Math.ceil(month.resetAt / 1000)),
      [`${PREFIX}unified-5h-status`]: 'allowed',
      [`${PREFIX}unified-5h-reset`]: String(Math.ceil(AT / 1000)),
      [`${PREFIX}unified-5h-utilization`]: '0.42',
      [`${PREFIX}unified-7d-status`]: 'allowed_warning',
      [`${PREFIX}unified-7d-reset`]: String(Math.ceil(month.resetAt / 1000)),
      [`${PREFIX}unified-7d-utilization`]: '0.85',
    })
  })

  test('that are used up are rejected, and not a moment before', () => {
    const at = (left: number) =>
      headersOf({ day: { limit: 1e9, left, resetAt: AT } })[`${PREFIX}unified-status`]
    expect([
      at(1),
      at(0),
      headersOf({ day: { limit: 0, left: 0, resetAt: AT } })[`${PREFIX}unified-status`],
    ]).toEqual(['allowed_warning', 'rejected', 'rejected'])
  })

  test('always give a share from 0 to 1 and the claim of the tighter one', () => {
    const state = fc.record({ limit: fc.nat({ max: 1e12 }), left: fc.nat({ max: 1e12 }) })
    fc.assert(
      fc.property(state, state, (one, other) => {
        const headers = headersOf({
          day: { ...one, resetAt: AT },
          month: { ...other, resetAt: AT },
        })
        const [short, long] = ['5h', '7d'].map((name) =>
          Number(headers[`${PREFIX}unified-${name}-utilization`]),
        )
        for (const share of [short, long]) {
          expect(share).toBeGreaterThanOrEqual(0)
          expect(share).toBeLessThanOrEqual(1)
        }
        const claim = Number(long) > Number(short) ? 'seven_day' : 'five_hour'
        expect(headers[`${PREFIX}unified-representative-claim`]).toBe(claim)
      }),
    )
  })
})
