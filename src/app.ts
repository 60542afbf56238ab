// The floor plan: everything that a request passes, in order.
import { Hono } from 'hono'
import { AnswerCache } from './flows/caching/answer-cache.ts'
import { createOriginCheck } from './flows/check-origin.ts'
import { peppersOf } from './flows/hash-key.ts'
import { createTokenSeal } from './flows/seal-token.ts'
import { createIdentifier } from './flows/identify.ts'
import { createCallReader } from './flows/read-call.ts'
import { createJobTaker } from './flows/jobs/submit-job.ts'
import { createTurnTaker } from './flows/take-turn.ts'
import { cors } from './middleware/cors.ts'
import { reportErrors, routeUnknown } from './middleware/report-errors.ts'
import { requestScope, type ScopeVariables } from './middleware/request-scope.ts'
import { admin } from './routes/admin/admin.ts'
import { batches } from './routes/batches.ts'
import { files } from './routes/files.ts'
import { health } from './routes/health.ts'
import { jobs } from './routes/jobs.ts'
import { messages } from './routes/messages.ts'
import { metrics } from './routes/metrics.ts'
import { models } from './routes/models.ts'
import { sessions } from './routes/sessions.ts'
import { tokens } from './routes/tokens.ts'
import { usage } from './routes/usage.ts'
import type { Services } from './ports.ts'

export interface AppEnv {
  Variables: ScopeVariables
}

export function createApp(services: Services) {
  const seal = createTokenSeal(peppersOf(services.config.keys))
  const origins = createOriginCheck(services)
  const identify = createIdentifier(services, seal)
  const readCall = createCallReader(services, identify)
  const takeJob = createJobTaker(services, identify)
  const takeTurn = createTurnTaker(services, identify)
  const cache = new AnswerCache(services)
  return new Hono<AppEnv>()
    .use(requestScope(services))
    .use('/v1/*', cors(origins))
    .route('/', health(services))
    .route('/', metrics(services))
    .route('/v1', messages(services, { readCall, takeTurn, cache }))
    .route('/v1', sessions(services, identify, takeTurn))
    .route('/v1', jobs(services, identify, takeJob))
    .route('/v1', batches(services, identify))
    .route('/v1', files(services, identify))
    .route('/v1', models(services, readCall))
    .route('/v1', usage(services, identify))
    .route('/admin/v1', admin(services, cache))
    .route('/v1', tokens({ services, seal, origins }, identify))
    .notFound(routeUnknown(services))
    .onError(reportErrors(services))
}
