// What an answer of Claude's means: for the account's gate, for another try, and for the caller in the end.
//
// | status                  | the gate learns                | another account | the caller, if it is the last |
// | ----------------------- | ------------------------------ | --------------- | ----------------------------- |
// | 2xx                     | served                         | –               | passed on                     |
// | 401, 403 of the key    | the credential is refused      | yes             | 503 `accounts_open`           |
// | 400 of its own budget   | the account's spend limit      | yes             | passed on                     |
// | 402 of its bill         | served: one word of one call   | yes             | passed on                     |
// | 429                     | throttled, or its spend limit  | yes             | passed on                     |
// | other 4xx               | served: it is the request's    | no              | passed on                     |
// | 529                     | failed, overloaded             | yes             | passed on                     |
// | 5xx in Claude's shape   | failed                         | yes             | passed on                     |
// | 3xx, 403, 5xx otherwise | failed                         | yes             | 502 `upstream_invalid`        |
import type { Outcome } from '../admission/admission.ts'
import type { Reason } from '../errors.ts'

/** An upstream error in Claude's shape; null fields where it says nothing. */
export interface UpstreamError {
  readonly type: string | null
  readonly errorCode: string | null
  readonly message: string | null
}

export interface UpstreamAnswer {
  readonly status: number
  readonly retryAfter: string | null
  readonly shouldRetry: string | null
  /** The body, where it is an error in Claude's shape. */
  readonly error: UpstreamError | null
}

/** What the caller is told beside Claude's own body. */
export interface Advice {
  readonly reason: Reason | null
  readonly shouldRetry: boolean
  readonly retryAfterMs: number | null
}

export interface Judgement {
  readonly outcome: Outcome
  /** Whether another account, or another moment, may do better. */
  readonly retryable: boolean
  /** Claude's body may be passed on; else the reason of `advice` is answered in our own words. */
  readonly passable: boolean
  readonly advice: Advice
}

const SPEND_LIMITS = new Set(['enforced_spend_limit_reached', 'contract_spend_limit_reached'])

export function judgeAnswer(answer: UpstreamAnswer, now: number): Judgement {
  const { status, error } = answer
  if (status >= 200 && status < 300) return passOn({ kind: 'served' }, false, plain)
  if (status === 401 || (status === 403 && isAboutKey(error))) {
    const advice: Advice = { reason: 'accounts_open', shouldRetry: true, retryAfterMs: null }
    return { outcome: { kind: 'credential_refused' }, retryable: true, passable: false, advice }
  }
  if (status === 429) return judgeThrottle(answer, now)
  if (isSpendLimit(answer)) return passOn({ kind: 'spend_limited' }, true, plain)
  // A code here speaks of the organization that the request's user profile is linked to, none of the account's bill.
  if (status === 402 && error?.errorCode === null) return passOn({ kind: 'served' }, true, plain)
  if (status >= 400 && status < 500 && !(status === 403 && error === null)) {
    return passOn({ kind: 'served' }, false, {
      reason: null,
      shouldRetry: answer.shouldRetry === 'true',
      retryAfterMs: parseRetryAfterMs(answer.retryAfter, now),
    })
  }
  const passable = status >= 500 && error !== null
  const advice: Advice = {
    reason: status === 529 ? 'upstream_overloaded' : passable ? null : 'upstream_invalid',
    shouldRetry: false,
    retryAfterMs: status >= 500 ? parseRetryAfterMs(answer.retryAfter, now) : null,
  }
  const cause = status === 529 ? 'overloaded' : status >= 500 ? 'status_5xx' : 'invalid_body'
  return {
    outcome: { kind: 'failed', cause },
    retryable: true,
    passable,
    advice,
  }
}

/**
 * A 403 with a code names what of the request is not allowed (a user profile, a scope): were it held against the key,
 * one caller could take the account from all others.
 */
const isAboutKey = (error: UpstreamError | null): boolean =>
  error !== null && error.errorCode === null

/** Claude says an account's own limit as a 400 without a code: only its words tell (Claude's docs, "Errors"). */
const SPEND_LIMIT_WORDS = /^(You have reached your specified |Your credit balance is too low)/

const isSpendLimit = ({ status, error }: UpstreamAnswer): boolean =>
  status === 400 && SPEND_LIMIT_WORDS.test(error?.message ?? '')

function judgeThrottle(answer: UpstreamAnswer, now: number): Judgement {
  const code = answer.error?.errorCode ?? null
  if (code !== null && SPEND_LIMITS.has(code)) {
    return passOn({ kind: 'spend_limited' }, true, { ...plain, reason: 'accounts_throttled' })
  }
  const retryAfterMs = parseRetryAfterMs(answer.retryAfter, now)
  return {
    outcome: { kind: 'throttled', retryAfterMs, rampLimited: code === 'ramp_limit_exceeded' },
    retryable: true,
    // An edge before Claude's API may say it too, in a page of its own.
    passable: answer.error !== null,
    advice: { reason: 'accounts_throttled', shouldRetry: retryAfterMs !== null, retryAfterMs },
  }
}

const plain: Advice = { reason: null, shouldRetry: false, retryAfterMs: null }

const passOn = (outcome: Outcome, retryable: boolean, advice: Advice): Judgement => ({
  outcome,
  retryable,
  passable: true,
  advice,
})

/** `retry-after` (RFC 9110, section 10.2.3): seconds or a date. Means something on an error answer only. */
export function parseRetryAfterMs(header: string | null, now: number): number | null {
  if (header === null) return null
  if (/^\d{1,9}(\.\d+)?$/.test(header)) return Math.ceil(Number(header) * 1000)
  // Without this, V8 finds a date in nearly anything.
  const at = /^[A-Z][a-z]{2}, \d/.test(header) ? Date.parse(header) : Number.NaN
  return Number.isNaN(at) ? null : Math.max(0, at - now)
}

/** The status that an `error` event would have had, by its type (Claude's docs, "Errors"). */
const STATUS_OF_TYPE: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  conflict_error: 409,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
}

export const statusOfErrorType = (type: string | null): number => STATUS_OF_TYPE[type ?? ''] ?? 500

/** Reads an error body in Claude's shape; null where it is anything else. */
export function readUpstreamError(body: unknown): UpstreamError | null {
  const error = field(body, 'error')
  if (typeof error !== 'object' || error === null) return null
  const type = field(error, 'type')
  const code = field(field(error, 'details'), 'error_code')
  const message = field(error, 'message')
  return {
    type: typeof type === 'string' ? type : null,
    errorCode: typeof code === 'string' ? code : null,
    message: typeof message === 'string' ? message : null,
  }
}

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined
