// Figures for a monitoring system, with the admin token.
import { Hono } from 'hono'
import type { AppEnv } from '../app.ts'
import { METRICS_TYPE } from '../core/metrics/text-format.ts'
import { createAdminGuard } from '../flows/admin/open-admin.ts'
import { createAccountReader } from '../flows/admin/read-accounts.ts'
import { showMetrics } from '../flows/admin/show-metrics.ts'
import { peppersOf } from '../flows/hash-key.ts'
import { createCredentialSealer } from '../flows/seal-credential.ts'
import type { Services } from '../ports.ts'

export const metrics = (services: Services) => {
  const guard = createAdminGuard(services)
  const sealer = createCredentialSealer(peppersOf(services.config.keys))
  const reader = createAccountReader(services, sealer)
  return new Hono<AppEnv>().get('/metrics', async (c) => {
    await guard(c.req.raw.headers)
    const text = await showMetrics(services, reader)
    return c.body(text, 200, { 'content-type': METRICS_TYPE, 'cache-control': 'no-store' })
  })
}
