// A Worker with nothing but the objects: for their own tests and the gate's benchmark.
export { AccountGate } from '../../durable-objects/account-gate.ts'
export { TenantJobs } from '../../durable-objects/tenant-jobs.ts'
export { TenantLedger } from '../../durable-objects/tenant-ledger.ts'
export { TenantWebhooks } from '../../durable-objects/tenant-webhooks.ts'

export default {
  fetch: () => new Response(null, { status: 404 }),
  // Messages say what is due; the tests look for themselves.
  queue: (batch) => batch.ackAll(),
} satisfies ExportedHandler
