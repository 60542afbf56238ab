// The status that carries an error type when there is no stream to carry it as an event.
import { ApiError } from './api-error.ts'

const STATUS_BY_TYPE: Record<string, number> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
}

export function statusOfErrorType(type: string): ApiError {
  const message = type === 'overloaded_error' ? 'Overloaded' : 'Internal server error'
  return new ApiError(STATUS_BY_TYPE[type] ?? 500, message, { type })
}
