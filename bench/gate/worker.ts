// The Worker of the gate's benchmark: each request takes and returns leases of one object, so many times. The
// peers of the gate are an object that only counts in memory, and one that writes each count to its storage.
import { DurableObject } from 'cloudflare:workers'
import type { Admission, AdmissionAsk, Lease } from '../../src/core/admission/admission.ts'
import type { SettleEvent } from '../../src/core/admission/gate.ts'
import type { LedgerAsk, LedgerSettlement } from '../../src/core/money/ledger/words.ts'

export { AccountGate } from '../../durable-objects/account-gate.ts'
export { TenantLedger } from '../../durable-objects/tenant-ledger.ts'

interface Slots {
  admit(ask: AdmissionAsk): Promise<Admission>
  settle(ends: readonly SettleEvent[]): Promise<void>
}

interface Ledger {
  reserve(ask: LedgerAsk): Promise<unknown>
  settle(settlements: readonly LedgerSettlement[]): Promise<void>
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
  readonly TENANT_LEDGER: DurableObjectNamespace
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

const ledgerAsk = (id: string): LedgerAsk => ({
  id,
  tenant: 'bench',
  key: 'key',
  user: '',
  model: 'claude-sonnet-5',
  at: Date.now(),
  stream: false,
  inputTokens: 1_000,
  maxOutputTokens: 4_096,
  price: { input: 2_000, inputMost: 4_000, output: 10_000 },
  ttlMs: 60_000,
  maxWaitMs: 10_000,
  limits: {
    maxConcurrent: 5_000,
    inputTokensPerMinute: null,
    outputTokensPerMinute: null,
    dayNanoUsd: 1e15,
    monthNanoUsd: null,
  },
  token: null,
})

/** A ledger as it is used: a reservation before the call, its bill after. */
const asLedger = (ledger: Ledger): Slots => ({
  async admit({ ticket }) {
    await ledger.reserve(ledgerAsk(ticket))
    const lease = { id: ticket, epoch: 1, expiresAt: 0 }
    return { kind: 'admitted', lease, queuedMs: 0, probe: false }
  },
  async settle(ends) {
    const leaseId = ends[0]?.settlement.leaseId ?? ''
    const { id, tenant, key, user, model, at } = ledgerAsk(leaseId)
    const usage = {
      requestId: id,
      tenant,
      key,
      user,
      model,
      at,
      inputTokens: 1_000,
      outputTokens: 500,
      cacheWriteTokens: 0,
      cacheReadTokens: 0,
      costNanoUsd: 7_000_000,
      savedNanoUsd: 0,
      estimated: false,
    }
    await ledger.settle([{ id: leaseId, usage, tookMs: 10 }])
  },
})

const CROWD = 1_000
let crowded: Promise<unknown> | null = null

/** A thousand calls of one tenant that run all the while. */
const crowd = (ledger: Ledger): Promise<unknown> =>
  (crowded ??= Promise.all(
    Array.from({ length: CROWD }, (_, at) =>
      ledger.reserve({ ...ledgerAsk(`crowd-${at}`), ttlMs: 3_600_000 }),
    ),
  ))

const endOf = (lease: Lease): SettleEvent => ({
  settlement: { leaseId: lease.id, epoch: lease.epoch, outcome: { kind: 'served' }, rate: null },
  witness: null,
})

export default {
  async fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url)
    const namespace = {
      '/gate': env.ACCOUNT_GATE,
      '/ledger': env.TENANT_LEDGER,
      '/crowded': env.TENANT_LEDGER,
      '/counting': env.COUNTING,
      '/writing': env.WRITING,
    }[pathname]
    if (namespace === undefined) return new Response(null, { status: 404 })
    const stub = namespace.getByName(pathname)
    // The others have these two methods as they are.
    const isLedger = pathname === '/ledger' || pathname === '/crowded'
    const gate = isLedger ? asLedger(stub as unknown as Ledger) : (stub as unknown as Slots)
    if (pathname === '/crowded') await crowd(stub as unknown as Ledger)
    const pairs = Number(searchParams.get('pairs') ?? 1)
    for (let each = 0; each < pairs; each++) {
      const admission = await gate.admit(askFor(crypto.randomUUID()))
      if (admission.kind === 'refused') throw new Error(`Refused: ${admission.refusal.reason}`)
      // As in the gateway: the call waits for its lease, and its settlement delays no answer.
      context.waitUntil(gate.settle([endOf(admission.lease)]))
    }
    return new Response('ok')
  },
} satisfies ExportedHandler<BenchEnv>
