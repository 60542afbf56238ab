// How a call failed, told to those who waited for it: Claude's own words where it gave some, else ours.
import { GatewayError, type Reason, refusals } from '../../core/errors.ts'

export type FlightFailure =
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
      readonly body: string
    }
  | {
      readonly kind: 'refused'
      readonly reason: Reason
      readonly message: string
      readonly retryAfterMs: number | null
      readonly details: Readonly<Record<string, unknown>> | null
    }

/** What of an answer's headers is about the failure and not about who asked. */
const TOLD = ['content-type', 'retry-after', 'x-should-retry', 'sluice-reason']

export async function failureOfAnswer(response: Response): Promise<FlightFailure> {
  const headers = TOLD.flatMap((name) => {
    const value = response.headers.get(name)
    return value === null ? [] : [[name, value]]
  })
  return {
    kind: 'answered',
    status: response.status,
    headers: Object.fromEntries(headers) as Record<string, string>,
    body: await response.text(),
  }
}

export const failureOfError = (error: unknown): FlightFailure =>
  error instanceof GatewayError
    ? {
        kind: 'refused',
        reason: error.reason,
        message: error.message,
        retryAfterMs: error.retryAfterMs,
        details: error.details,
      }
    : {
        kind: 'refused',
        reason: 'internal_error',
        message: 'Internal error',
        retryAfterMs: null,
        details: null,
      }

/** The same for whoever waited. */
export function renderFlightFailure(
  failure: FlightFailure,
  own: Readonly<Record<string, string>>,
): Response {
  if (failure.kind === 'refused') {
    const { reason, message, retryAfterMs, details } = failure
    throw new GatewayError(reason, message, {
      retryAfterMs,
      headers: own,
      ...(details === null ? {} : { details }),
    })
  }
  const { status, body, headers } = failure
  return new Response(body, { status, headers: { ...headers, ...own } })
}

export const statusOf = (failure: FlightFailure): number =>
  failure.kind === 'refused' ? refusals[failure.reason].status : failure.status

/** Another call may fare better. */
export const isPassing = (failure: FlightFailure): boolean => {
  const status = statusOf(failure)
  return status === 429 || status >= 500
}

/** Throws where it is no failure that was printed. */
export function parseFailure(text: string): FlightFailure {
  const failure = JSON.parse(text) as FlightFailure
  if (failure.kind === 'refused' && failure.reason in refusals) return failure
  if (failure.kind === 'answered' && Number.isInteger(failure.status)) return failure
  throw new Error('Not a failure')
}
