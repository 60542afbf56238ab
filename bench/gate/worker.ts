// The Worker of the gate's benchmark: each request takes and returns leases of one object, so many times. The
// peers of the gate are an object that only counts in memory, and one that writes each count to its storage.
import { DurableObject } from 'cloudflare:workers'
import type {
  Admission,
  AdmissionAsk,
  Lease,
  Settlement,
} from '../../src/core/admission/admission.ts'
import type { UsageRecord } from '../../src/core/money/usage-record.ts'

export { AccountGate } from '../../durable-objects/account-gate.ts'

interface Slots {
  admit(ask: AdmissionAsk): Promise<Admission>
  settle(settlement: Settlement, witness: null): Promise<void>
}

/** The floor: a count and a line of waiters, in memory, nothing else. */
export class CountingGate extends DurableObject<BenchEnv> {
  #inUse = 0
  readonly #waiting: (() => void)[] = []

  async admit(ask: AdmissionAsk): Promise<Admission> {
    if (this.#inUse >= ask.account.maxConcurrent) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else this.#inUse++
    this.changed()
    const lease = { id: ask.ticket, epoch: 1, expiresAt: 0 }
    return { kind: 'admitted', lease, queuedMs: 0, probe: false }
  }

  async settle(): Promise<void> {
    const next = this.#waiting.shift()
    if (next === undefined) this.#inUse--
    else next()
    this.changed()
  }

  changed(): void {}
}

/** The other end: each grant and release on disk before it is answered. */
export class WritingGate extends CountingGate {
  readonly #sql: SqlStorage

  constructor(ctx: DurableObjectState, env: BenchEnv) {
    super(ctx, env)
    this.#sql = ctx.storage.sql
    this.#sql.exec('CREATE TABLE IF NOT EXISTS slots (id INTEGER PRIMARY KEY, at INTEGER)')
  }

  override changed(): void {
    this.#sql.exec('INSERT OR REPLACE INTO slots VALUES (1, ?)', Date.now())
  }
}

interface BenchEnv {
  readonly ACCOUNT_GATE: DurableObjectNamespace
  readonly COUNTING: DurableObjectNamespace
  readonly WRITING: DurableObjectNamespace
}

const LIMIT = 16

const askFor = (ticket: string): AdmissionAsk => ({
  ticket,
  tenant: 'bench',
  lane: 'normal',
  modelClass: 'sonnet',
  estimatedInputTokens: 1_000,
  maxWaitMs: 10_000,
  account: { maxConcurrent: LIMIT, minConcurrent: 1, draining: false },
})

const usageOf = (requestId: string): UsageRecord => ({
  requestId,
  tenant: 'bench',
  key: 'key',
  user: '',
  model: 'claude-sonnet-5',
  at: Date.now(),
  inputTokens: 1_000,
  outputTokens: 500,
  cacheWriteTokens: 0,
  cacheReadTokens: 0,
  costNanoUsd: 7_000_000,
  savedNanoUsd: 0,
  estimated: false,
})

const settlementOf = (lease: Lease, withUsage: boolean): Settlement => ({
  leaseId: lease.id,
  epoch: lease.epoch,
  outcome: { kind: 'served' },
  rate: null,
  usage: withUsage ? usageOf(lease.id) : null,
})

export default {
  async fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url)
    const namespace = {
      '/gate': env.ACCOUNT_GATE,
      '/gate-usage': env.ACCOUNT_GATE,
      '/counting': env.COUNTING,
      '/writing': env.WRITING,
    }[pathname]
    if (namespace === undefined) return new Response(null, { status: 404 })
    // All three have these two methods.
    const gate = namespace.getByName('bench') as unknown as Slots
    const pairs = Number(searchParams.get('pairs') ?? 1)
    const withUsage = pathname === '/gate-usage'
    for (let each = 0; each < pairs; each++) {
      const admission = await gate.admit(askFor(crypto.randomUUID()))
      if (admission.kind === 'refused') throw new Error(`Refused: ${admission.refusal.reason}`)
      // As in the gateway: the call waits for its lease, and its settlement delays no answer.
      context.waitUntil(gate.settle(settlementOf(admission.lease, withUsage), null))
    }
    return new Response('ok')
  },
} satisfies ExportedHandler<BenchEnv>
