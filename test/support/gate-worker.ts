// A Worker with nothing but the gate: for the gate's own tests and its benchmark.
export { AccountGate } from '../../durable-objects/account-gate.ts'

export default { fetch: () => new Response(null, { status: 404 }) } satisfies ExportedHandler
