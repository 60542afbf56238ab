// The routes of the data plane that name something of a tenant's by its id. A unit test holds this list against the
// app's own routes, an end-to-end test tries each of them with another tenant's key.

export interface OwnedRoute {
  /** As the app declares it. */
  readonly route: string
  readonly owned: 'session' | 'job' | 'batch' | 'file'
  readonly body?: object
}

export const OWNED_ROUTES: readonly OwnedRoute[] = [
  { route: 'GET /v1/sessions/:id', owned: 'session' },
  { route: 'POST /v1/sessions/:id/extend', owned: 'session', body: { ttl_seconds: 60 } },
  { route: 'POST /v1/sessions/:id/fork', owned: 'session', body: {} },
  { route: 'DELETE /v1/sessions/:id', owned: 'session' },
  { route: 'GET /v1/jobs/:id', owned: 'job' },
  { route: 'DELETE /v1/jobs/:id', owned: 'job' },
  { route: 'GET /v1/messages/batches/:id', owned: 'batch' },
  { route: 'GET /v1/messages/batches/:id/results', owned: 'batch' },
  { route: 'POST /v1/messages/batches/:id/cancel', owned: 'batch' },
  { route: 'DELETE /v1/messages/batches/:id', owned: 'batch' },
  { route: 'GET /v1/files/:id', owned: 'file' },
  { route: 'GET /v1/files/:id/content', owned: 'file' },
  { route: 'DELETE /v1/files/:id', owned: 'file' },
]

/** Their ids are Claude's, the same for every tenant. */
export const SHARED_ROUTES = ['GET /v1/models/:id']
