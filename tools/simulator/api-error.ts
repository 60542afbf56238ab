// A refusal in Claude's shape. Thrown by the routes and turned into an answer in one place, because a
// refusal may arise anywhere below a route and always ends the request.
import type { JsonObject } from './json.ts'

const TYPE_BY_STATUS: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  405: 'invalid_request_error',
  409: 'conflict_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  500: 'api_error',
  502: 'api_error',
  503: 'api_error',
  504: 'timeout_error',
  529: 'overloaded_error',
}

export function errorType(status: number): string {
  return TYPE_BY_STATUS[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error')
}

export interface ApiErrorExtras {
  type?: string
  details?: JsonObject
  headers?: Record<string, string>
}

export class ApiError extends Error {
  readonly status: number
  readonly type: string
  readonly details: JsonObject | undefined
  readonly headers: Record<string, string>

  constructor(status: number, message: string, extras: ApiErrorExtras = {}) {
    super(message)
    this.status = status
    this.type = extras.type ?? errorType(status)
    this.details = extras.details
    this.headers = extras.headers ?? {}
  }
}

export function invalid(message: string, details?: JsonObject): ApiError {
  return new ApiError(400, message, details === undefined ? {} : { details })
}

export function notFound(message: string, details?: JsonObject): ApiError {
  return new ApiError(404, message, details === undefined ? {} : { details })
}

export function errorBody(error: ApiError, requestId: string | null): JsonObject {
  const details = error.details === undefined ? {} : { details: error.details }
  return {
    type: 'error',
    error: { type: error.type, message: error.message, ...details },
    request_id: requestId,
  }
}
