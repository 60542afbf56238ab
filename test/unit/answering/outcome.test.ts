import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Outcome } from '../../../src/core/admission/admission.ts'
import {
  judgeAnswer,
  parseRetryAfterMs,
  readUpstreamError,
  statusOfErrorType,
} from '../../../src/core/answering/outcome.ts'
import { refusals } from '../../../src/core/errors.ts'

const NOW = Date.parse('2026-11-21T10:00:00Z')

interface Given {
  readonly type?: string
  readonly code?: string
  readonly message?: string
  readonly retryAfter?: string
  readonly shouldRetry?: string
  /** No error in Claude's shape: a page of some proxy. */
  readonly html?: boolean
}

const judge = (status: number, given: Given = {}) =>
  judgeAnswer(
    {
      status,
      retryAfter: given.retryAfter ?? null,
      shouldRetry: given.shouldRetry ?? null,
      error:
        given.html === true
          ? null
          : {
              type: given.type ?? null,
              errorCode: given.code ?? null,
              message: given.message ?? null,
            },
    },
    NOW,
  )

const served: Outcome = { kind: 'served' }
const failed = (cause: 'status_5xx' | 'overloaded' | 'invalid_body'): Outcome => ({
  kind: 'failed',
  cause,
})
const throttled = (retryAfterMs: number | null, rampLimited = false): Outcome => ({
  kind: 'throttled',
  retryAfterMs,
  rampLimited,
})
const spent: Outcome = { kind: 'spend_limited' }
const refused: Outcome = { kind: 'credential_refused' }

describe("what the gate learns, whether another account may do better, and whether Claude's body is passed on", () => {
  test.each<[string, number, Given, Outcome, boolean, boolean]>([
    ['an answer', 200, { html: true }, served, false, true],
    [
      'an answer with a retry-after, which means nothing there',
      200,
      { html: true, retryAfter: '25' },
      served,
      false,
      true,
    ],
    ['a bad request', 400, { type: 'invalid_request_error' }, served, false, true],
    ['an unknown model', 404, { type: 'not_found_error' }, served, false, true],
    ['a thread that is not there', 404, { code: 'thread_not_found' }, served, false, true],
    ['a conflict', 409, { type: 'conflict_error' }, served, false, true],
    ['a body too large', 413, { type: 'request_too_large' }, served, false, true],
    ['a body too large for a proxy on the way', 413, { html: true }, served, false, true],
    ['a key that does not work', 401, { type: 'authentication_error' }, refused, true, false],
    ['a key that may not', 403, { type: 'permission_error' }, refused, true, false],
    [
      "a caller's user profile that may not",
      403,
      { code: 'user_profile_not_billable' },
      served,
      false,
      true,
    ],
    ['a 403 in HTML', 403, { html: true }, failed('invalid_body'), true, false],
    ["the account's unpaid bill", 402, { type: 'billing_error' }, served, true, true],
    [
      "a user profile's own bill",
      402,
      { code: 'linked_organization_spend_limit_reached' },
      served,
      false,
      true,
    ],
    [
      'an own spend limit, which is a 400',
      400,
      {
        message:
          'You have reached your specified API usage limits. You will regain access on 2026-12-01.',
      },
      spent,
      true,
      true,
    ],
    [
      'no credit left, which is a 400',
      400,
      { message: 'Your credit balance is too low to access the API.' },
      spent,
      true,
      true,
    ],
    [
      'a bad request that quotes such words',
      400,
      { message: 'messages: Your credit balance is too low' },
      served,
      false,
      true,
    ],
    ['a rate limit', 429, { retryAfter: '7' }, throttled(7000), true, true],
    ['a rate limit without a time', 429, {}, throttled(null), true, true],
    [
      'a ramp limit',
      429,
      { code: 'ramp_limit_exceeded', retryAfter: '2' },
      throttled(2000, true),
      true,
      true,
    ],
    ["the tier's spend limit", 429, { code: 'enforced_spend_limit_reached' }, spent, true, true],
    [
      "the contract's spend limit",
      429,
      { code: 'contract_spend_limit_reached' },
      spent,
      true,
      true,
    ],
    [
      'a rate limit of some proxy',
      429,
      { html: true, retryAfter: '3' },
      throttled(3000),
      true,
      false,
    ],
    ['an internal error', 500, { type: 'api_error' }, failed('status_5xx'), true, true],
    ['a gateway in HTML', 502, { html: true }, failed('status_5xx'), true, false],
    ['an unavailable service', 503, { html: true }, failed('status_5xx'), true, false],
    ['a timeout', 504, { type: 'timeout_error' }, failed('status_5xx'), true, true],
    ['an overload', 529, { type: 'overloaded_error' }, failed('overloaded'), true, true],
    ['an overload in HTML', 529, { html: true }, failed('overloaded'), true, false],
    ['a redirect', 302, { html: true }, failed('invalid_body'), true, false],
    ['no answer to any call of ours', 101, { html: true }, failed('invalid_body'), true, false],
  ])('%s (%i)', (...row) => {
    const [, status, given, outcome, retryable, passable] = row
    expect(judge(status, given)).toMatchObject({ outcome, retryable, passable })
  })
})

describe('what the caller is told beside the body', () => {
  test.each<[string, number, Given, object]>([
    [
      'a rate limit',
      429,
      { retryAfter: '7' },
      { reason: 'accounts_throttled', shouldRetry: true, retryAfterMs: 7000 },
    ],
    [
      'a spend limit',
      429,
      { code: 'enforced_spend_limit_reached', retryAfter: '7' },
      { reason: 'accounts_throttled', shouldRetry: false, retryAfterMs: null },
    ],
    [
      'an overload',
      529,
      { retryAfter: '4' },
      { reason: 'upstream_overloaded', shouldRetry: false, retryAfterMs: 4000 },
    ],
    [
      'an overload without a time',
      529,
      {},
      { reason: 'upstream_overloaded', shouldRetry: false, retryAfterMs: null },
    ],
    ['a bad request', 400, {}, { reason: null, shouldRetry: false, retryAfterMs: null }],
    [
      'a conflict that Claude wants retried',
      409,
      { shouldRetry: 'true' },
      { reason: null, shouldRetry: true },
    ],
    ['a gateway in HTML', 502, { html: true }, { reason: 'upstream_invalid', shouldRetry: false }],
    ['a refused key', 401, {}, { reason: 'accounts_open', shouldRetry: true }],
  ])('%s (%i)', (_name, status, given, advice) => {
    expect(judge(status, given).advice).toMatchObject(advice)
  })

  test('no status is left without a judgement, and what may not be passed on has a reason', () => {
    const codes = fc.constantFrom(
      undefined,
      'ramp_limit_exceeded',
      'enforced_spend_limit_reached',
      'x',
    )
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 999 }), codes, fc.boolean(), (status, code, html) => {
        const { outcome, retryable, passable, advice } = judge(status, {
          html,
          ...(code === undefined ? {} : { code }),
        })
        if (outcome.kind !== 'served') expect(retryable).toBe(true)
        if (!passable) expect(Object.keys(refusals)).toContain(advice.reason)
        if (outcome.kind === 'failed') expect(advice.shouldRetry).toBe(false)
      }),
    )
  })
})

describe('parseRetryAfterMs', () => {
  test.each([
    [null, null],
    ['0', 0],
    ['7', 7000],
    ['0.5', 500],
    ['Sat, 21 Nov 2026 10:00:09 GMT', 9000],
    ['Sat, 21 Nov 2026 09:00:00 GMT', 0],
    ['', null],
    ['soon', null],
    ['-5', null],
    ['soon 12', null],
    ['1e9', null],
    ['99999999999', null],
    ['2026-11-21T10:00:09Z', null],
  ])('%j is %s ms', (header, ms) => {
    expect(parseRetryAfterMs(header, NOW)).toBe(ms)
  })
})

describe('readUpstreamError', () => {
  test("reads an error in Claude's shape", () => {
    const body = {
      type: 'error',
      error: {
        type: 'rate_limit_error',
        message: 'm',
        details: { error_code: 'ramp_limit_exceeded' },
      },
    }
    expect(readUpstreamError(body)).toEqual({
      type: 'rate_limit_error',
      errorCode: 'ramp_limit_exceeded',
      message: 'm',
    })
    expect(readUpstreamError({ error: { details: null, type: 'api_error' } })).toEqual({
      type: 'api_error',
      errorCode: null,
      message: null,
    })
  })

  test.each([null, undefined, 'x', 7, [], {}, { error: 'x' }, { error: null }])(
    'is null for %j',
    (body) => {
      expect(readUpstreamError(body)).toBeNull()
    },
  )
})

test('each error type of ours as an event has the status that it would have had', () => {
  for (const { status, type } of Object.values(refusals)) {
    const expected = { 422: 400, 502: 500, 503: 529 }[status as number] ?? status
    expect(statusOfErrorType(type)).toBe(expected)
  }
  expect(statusOfErrorType('new_error')).toBe(500)
  expect(statusOfErrorType(null)).toBe(500)
})
