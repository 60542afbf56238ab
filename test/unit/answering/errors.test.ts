import { describe, expect, test } from 'vitest'
import {
  errorBody,
  errorEvent,
  errorHeaders,
  GatewayError,
  refusals,
  retryAfterSeconds,
  threadUnsupported,
  type Reason,
} from '../../../src/core/errors.ts'

// The contract, section 8, as it is printed: status, type, reasons, x-should-retry.
const contract: readonly (readonly [number, string, string, boolean])[] = [
  [400, 'invalid_request_error', 'invalid_json invalid_request webhook_url_refused', false],
  [
    401,
    'authentication_error',
    'key_missing key_malformed key_unknown key_revoked key_expired token_expired',
    false,
  ],
  [402, 'billing_error', 'budget_exhausted', false],
  [
    403,
    'permission_error',
    'model_not_allowed origin_not_allowed ip_not_allowed tenant_disabled',
    false,
  ],
  [404, 'not_found_error', 'route_unknown not_found', false],
  // `account_in_use` is of the admin plane, of whose refusals the contract names none.
  [409, 'conflict_error', 'session_busy idempotency_in_flight account_in_use', true],
  [413, 'request_too_large', 'body_too_large', false],
  [422, 'invalid_request_error', 'idempotency_mismatch', false],
  [
    429,
    'rate_limit_error',
    'tenant_requests tenant_concurrency tenant_input_tokens tenant_output_tokens ip_requests global_requests accounts_throttled',
    true,
  ],
  [500, 'api_error', 'internal_error', false],
  [502, 'api_error', 'upstream_invalid upstream_reset', false],
  [
    503,
    'overloaded_error',
    'queue_full queue_timeout accounts_open draining session_store_unavailable store_unavailable gate_unavailable ledger_unavailable',
    true,
  ],
  [504, 'timeout_error', 'upstream_timeout not_cached', false],
  [529, 'overloaded_error', 'upstream_overloaded', false],
]
const rows = contract.flatMap(([status, type, reasons, retry]) =>
  reasons.split(' ').map((reason) => [reason as Reason, status, type, retry] as const),
)

describe('the table of refusals', () => {
  test('holds the reasons of the contract and no other', () => {
    expect(Object.keys(refusals).sort()).toEqual(rows.map(([reason]) => reason).sort())
  })

  test.each(rows)('%s is %i %s, x-should-retry %s', (reason, status, type, retry) => {
    const error = new GatewayError(reason, 'why')
    expect(error.status).toBe(status)
    expect(errorBody(error, 'req_1')).toEqual({
      type: 'error',
      error: { type, message: 'why' },
      request_id: 'req_1',
    })
    const headers = errorHeaders(error, 30_000)
    expect(headers['sluice-reason']).toBe(reason)
    expect(headers['x-should-retry']).toBe(String(retry))
  })

  test('a conflict and a store that is away say retry-after 1 without being told', () => {
    expect(errorHeaders(new GatewayError('session_busy', ''), 30_000)['retry-after']).toBe('1')
    expect(errorHeaders(new GatewayError('store_unavailable', ''), 30_000)['retry-after']).toBe('1')
    expect(errorHeaders(new GatewayError('key_missing', ''), 30_000)).not.toHaveProperty(
      'retry-after',
    )
  })

  test('null says no retry-after even where the reason has a usual one', () => {
    const error = new GatewayError('gate_unavailable', '', { retryAfterMs: null })
    expect(errorHeaders(error, 30_000)).not.toHaveProperty('retry-after')
  })
})

describe('retryAfterSeconds', () => {
  test.each([
    [0, 1],
    [1, 1],
    [1000, 1],
    [1001, 2],
    [29_999, 30],
    [30_000, 30],
    [30_001, 30],
    [3_600_000, 30],
  ])('%i ms is %i s under a bound of 30 s', (waitMs, seconds) => {
    expect(retryAfterSeconds(waitMs, 30_000)).toBe(seconds)
  })

  test('is at least one second, since 0 would make a client come back at once', () => {
    expect(retryAfterSeconds(100, 100)).toBe(1)
  })
})

describe('an error within a stream', () => {
  test('is an event of its own at a boundary', () => {
    const text = errorEvent(new GatewayError('upstream_reset', 'a\n"b"'), 'req_1')
    expect(text).toMatch(/^event: error\ndata: \{[^\n]*\}\n\n$/)
    expect(JSON.parse(text.split('data: ')[1] ?? '')).toEqual({
      type: 'error',
      error: { type: 'api_error', message: 'a\n"b"' },
      request_id: 'req_1',
    })
  })

  test('inside an unfinished event it ends the line and takes the name over', () => {
    const cut = 'event: content_block_delta\ndata: {"type":"cont'
    const lines = (cut + errorEvent(new GatewayError('upstream_reset', ''), 'r', false)).split('\n')
    expect(lines.findLast((line) => line.startsWith('event:'))).toBe('event: error')
    expect(lines.slice(0, -2)).not.toContain('')
  })
})

test('a thread that cannot go on carries the code that makes the SDK go on without it', () => {
  expect(errorBody(threadUnsupported('no'), 'r').error.details).toEqual({
    error_code: 'thread_unsupported_request',
    unsupported: ['thread'],
  })
})

test('the cause stays on the error and never reaches the body', () => {
  const error = new GatewayError('internal_error', 'm', { cause: new Error('secret') })
  expect(error.cause).toBeInstanceOf(Error)
  expect(JSON.stringify(errorBody(error, 'r'))).not.toContain('secret')
})
