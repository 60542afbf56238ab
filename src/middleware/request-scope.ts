// Gives each request its names and its clock, and each answer the headers that every answer has.
import type { MiddlewareHandler } from 'hono'
import { newQueueState, newTiming, type RequestScope, type Timing } from '../flows/call.ts'
import { Deadlines } from '../flows/deadlines.ts'
import type { Services } from '../ports.ts'
import type { AppEnv } from '../app.ts'

export interface ScopeVariables {
  scope: RequestScope
}

export const requestScope =
  (services: Services): MiddlewareHandler<AppEnv> =>
  async (c, next) => {
    const scope: RequestScope = {
      requestId: newRequestId(),
      traceId: readTraceId(c.req.header('traceparent')) ?? newTraceId(),
      startedAt: services.now(),
      address: services.addressOf(c.req.raw),
      signal: c.req.raw.signal,
      defer: deferTogether((work) => c.executionCtx.waitUntil(work)),
      timing: newTiming(),
      queue: newQueueState(),
      waits: new Deadlines(services.now),
    }
    c.set('scope', scope)
    await next()
    const headers = c.res.headers
    headers.set('request-id', scope.requestId)
    headers.set('sluice-trace-id', scope.traceId)
    headers.set('server-timing', serverTiming(scope.timing, services.now() - scope.startedAt))
  }

/** The platform keeps one promise for all that goes on after an answer: each that it is given costs it as much. */
function deferTogether(keep: (work: Promise<unknown>) => void): RequestScope['defer'] {
  let open = 0
  let all: PromiseWithResolvers<void> | null = null
  const ended = (): void => {
    open -= 1
    if (open > 0) return
    all?.resolve()
    all = null
  }
  return (work) => {
    open += 1
    if (all === null) {
      all = Promise.withResolvers<void>()
      keep(all.promise)
    }
    work.then(ended, () => {
      // A failure that nobody caught is the platform's to report.
      keep(work)
      ended()
    })
  }
}

/** `req_` and 24 characters, as Claude's own look. */
const newRequestId = (): string => `req_${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}`

const newTraceId = (): string => crypto.randomUUID().replaceAll('-', '')

/** The trace id of a W3C `traceparent`, so that a caller's trace goes on here. */
function readTraceId(header: string | undefined): string | null {
  const match = /^[\da-f]{2}-([\da-f]{32})-[\da-f]{16}-[\da-f]{2}/.exec(header ?? '')
  const id = match?.[1]
  return id === undefined || /^0+$/.test(id) ? null : id
}

function serverTiming(timing: Timing, totalMs: number): string {
  const parts: readonly (readonly [string, number | null])[] = [
    ['auth', timing.authMs],
    ['store', timing.storeMs],
    ['gate', timing.gateMs],
    ['queue', timing.queueMs],
    ['upstream', timing.upstreamMs],
    ['total', totalMs],
  ]
  return parts
    .flatMap(([name, ms]) => (ms === null ? [] : [`${name};dur=${Math.max(0, Math.round(ms))}`]))
    .join(', ')
}
