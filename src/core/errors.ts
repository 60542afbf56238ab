// The one table where the reasons of the contract, section 8, meet HTTP: status, Claude's error type and
// what a client's retry should do. Nothing else in the project knows a status code of ours.

interface Row {
  readonly status: number
  readonly type: ErrorType
  /** `x-should-retry`. */
  readonly shouldRetry: boolean
}

export type ErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'billing_error'
  | 'permission_error'
  | 'not_found_error'
  | 'conflict_error'
  | 'request_too_large'
  | 'rate_limit_error'
  | 'api_error'
  | 'overloaded_error'
  | 'timeout_error'

const row = (status: number, type: ErrorType, shouldRetry: boolean): Row => ({
  status,
  type,
  shouldRetry,
})

const invalid = row(400, 'invalid_request_error', false)
const unauthenticated = row(401, 'authentication_error', false)
const forbidden = row(403, 'permission_error', false)
const missing = row(404, 'not_found_error', false)
const conflict = row(409, 'conflict_error', true)
const limited = row(429, 'rate_limit_error', true)
const broken = row(502, 'api_error', false)
// One status, one type: every 503 of ours reads as overload, which all of Claude's clients know to be passing.
const busy = row(503, 'overloaded_error', true)

export const refusals = {
  invalid_json: invalid,
  invalid_request: invalid,
  webhook_url_refused: invalid,
  key_missing: unauthenticated,
  key_malformed: unauthenticated,
  key_unknown: unauthenticated,
  key_revoked: unauthenticated,
  key_expired: unauthenticated,
  token_expired: unauthenticated,
  budget_exhausted: row(402, 'billing_error', false),
  model_not_allowed: forbidden,
  origin_not_allowed: forbidden,
  ip_not_allowed: forbidden,
  tenant_disabled: forbidden,
  route_unknown: missing,
  not_found: missing,
  session_busy: conflict,
  idempotency_in_flight: conflict,
  // Of the admin plane alone: an account that still has calls cannot be deleted yet.
  account_in_use: conflict,
  body_too_large: row(413, 'request_too_large', false),
  idempotency_mismatch: row(422, 'invalid_request_error', false),
  tenant_requests: limited,
  tenant_concurrency: limited,
  tenant_input_tokens: limited,
  tenant_output_tokens: limited,
  ip_requests: limited,
  global_requests: limited,
  accounts_throttled: limited,
  // A fault of ours: the only reason that the contract does not name, since it should not happen.
  internal_error: row(500, 'api_error', false),
  upstream_invalid: broken,
  upstream_reset: broken,
  queue_full: busy,
  queue_timeout: busy,
  accounts_open: busy,
  draining: busy,
  session_store_unavailable: busy,
  store_unavailable: busy,
  gate_unavailable: busy,
  ledger_unavailable: busy,
  upstream_timeout: row(504, 'timeout_error', false),
  // Asked for with `only-if-cached`: RFC 9111 says 504.
  not_cached: row(504, 'timeout_error', false),
  upstream_overloaded: row(529, 'overloaded_error', false),
} as const satisfies Record<string, Row>

export type Reason = keyof typeof refusals

/** A wait that is known from the reason alone: a conflict is over in a moment, a store may be back. */
const DEFAULT_RETRY_AFTER_MS = 1000

export interface GatewayErrorOptions {
  /** How long until trying again makes sense; null: not known, so none is said. */
  readonly retryAfterMs?: number | null
  /** Claude's `error.details`, such as `error_code`. */
  readonly details?: Readonly<Record<string, unknown>>
  /** More headers that the answer carries, such as `sluice-account`. */
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** A failure that the caller sees. Decisions that may say no stay values; this is thrown at the edge. */
export class GatewayError extends Error {
  readonly reason: Reason
  readonly retryAfterMs: number | null
  readonly details: Readonly<Record<string, unknown>> | null
  readonly headers: Readonly<Record<string, string>>

  constructor(reason: Reason, message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'GatewayError'
    this.reason = reason
    this.retryAfterMs =
      options.retryAfterMs === undefined ? usualWaitMs(reason) : options.retryAfterMs
    this.details = options.details ?? null
    this.headers = options.headers ?? {}
  }

  get status(): number {
    return refusals[this.reason].status
  }
}

const usualWaitMs = (reason: Reason): number | null =>
  refusals[reason] === conflict || reason.endsWith('_unavailable') ? DEFAULT_RETRY_AFTER_MS : null

/** A thread that this gateway cannot continue, said in the way that lets the SDK go on without it. */
export const threadUnsupported = (message: string): GatewayError =>
  new GatewayError('invalid_request', message, {
    details: { error_code: 'thread_unsupported_request', unsupported: ['thread'] },
  })

/** Whole seconds for `retry-after`: never early, at least one, but never above the setting's bound. */
export const retryAfterSeconds = (waitMs: number, retryAfterMaxMs: number): number =>
  Math.max(1, Math.min(Math.ceil(waitMs / 1000), Math.floor(retryAfterMaxMs / 1000)))

/** A tenant's own limit is told exactly, however far off: an earlier retry would be refused again. */
const isOwnLimit = (reason: Reason): boolean =>
  refusals[reason] === limited && reason !== 'accounts_throttled'

export interface ErrorBody {
  readonly type: 'error'
  readonly error: {
    readonly type: ErrorType
    readonly message: string
    readonly details?: Readonly<Record<string, unknown>>
  }
  readonly request_id: string
}

export const errorBody = (error: GatewayError, requestId: string): ErrorBody => ({
  type: 'error',
  error: {
    type: refusals[error.reason].type,
    message: error.message,
    ...(error.details === null ? {} : { details: error.details }),
  },
  request_id: requestId,
})

/** The headers that go with `errorBody`; `request-id` and the rest of the usual ones are the edge's. */
export function errorHeaders(error: GatewayError, retryAfterMaxMs: number): Record<string, string> {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'sluice-reason': error.reason,
    'x-should-retry': String(refusals[error.reason].shouldRetry),
  }
  if (error.retryAfterMs !== null)
    headers['retry-after'] = String(
      retryAfterSeconds(error.retryAfterMs, isOwnLimit(error.reason) ? Infinity : retryAfterMaxMs),
    )
  return headers
}

/**
 * The same failure once a stream has begun. In the middle of an event (`atBoundary` false) the line is ended
 * but not the event: its name is then overwritten by `error`, so that a client raises an error of its API
 * instead of choking on half a JSON.
 */
export const errorEvent = (error: GatewayError, requestId: string, atBoundary = true): string =>
  `${atBoundary ? '' : '\n'}event: error\ndata: ${JSON.stringify(errorBody(error, requestId))}\n\n`
