// A call's account with its tenant's ledger, from its way in to its end: what it may spend is reserved, what its
// attempts used is added up, and the sum is settled once, whatever becomes of the call.
import { callPriceOf } from '../core/money/cost.ts'
import { limitsOf } from '../core/money/ledger/limits-of.ts'
import type { LedgerAsk, LimitRefusal, Renewed, Reservation } from '../core/money/ledger/words.ts'
import type { UsageRecord } from '../core/money/usage-record.ts'
import type { LedgerUnavailable, Services } from '../ports.ts'
import type { Call } from './call.ts'
import type { Meter } from './meter.ts'
import { recordUsage } from './record-usage.ts'

/** Where a call does not say what it may produce: the most of any model's usual answers. */
const MOST_OUTPUT_TOKENS = 64_000

export class Tab {
  readonly ask: LedgerAsk
  /** The cost at which more must be asked for; null: it draws from no budget. */
  allowanceNanoUsd: number | null = null
  /** Why its stream must end; null: it need not. */
  refusals: readonly LimitRefusal[] | null = null
  /** Its ledger has said how it goes on. */
  onAnswer: () => void = () => {}
  /** Until then it does not pay this tenant to have Claude keep prefixes of this model; null: it may. */
  prefixOffUntil: number | null = null
  /** Claude was asked to keep its prefix, by us. */
  askedToKeep = false
  /** Its answer is under way: the end of the stream settles it. */
  isStreaming = false
  readonly #services: Services
  readonly #call: Omit<Call, 'tab'>
  #usage: UsageRecord | null = null
  #meter: Meter | null = null
  #isOpen = false
  #renewing: Promise<unknown> = Promise.resolve()

  constructor(services: Services, call: Omit<Call, 'tab'>) {
    const { scope, caller, model, estimatedInputTokens } = call
    const { token } = caller
    this.#services = services
    this.#call = call
    this.ask = {
      id: scope.requestId,
      tenant: caller.tenant,
      key: caller.keyId,
      user: call.user,
      model,
      at: scope.startedAt,
      stream: call.isStream,
      inputTokens: estimatedInputTokens,
      maxOutputTokens: call.maxTokens ?? MOST_OUTPUT_TOKENS,
      price: callPriceOf(model, estimatedInputTokens),
      ttlMs: services.config.gate.leaseTtlMs,
      maxWaitMs: services.config.gate.queueWaitMs,
      limits: limitsOf(caller.tier),
      token: token === undefined ? null : termsOf(token),
    }
  }

  /** Open from its first word: a grant whose answer is lost is given back, too. */
  async reserve(): Promise<Reservation | LedgerUnavailable> {
    this.#isOpen = true
    const answer = await this.#services.ledgers.reserve(this.ask, this.#call.scope.waits)
    if (answer.kind === 'granted') {
      this.allowanceNanoUsd = answer.allowanceNanoUsd
      this.prefixOffUntil = answer.prefixOffUntil ?? null
    }
    // Nothing was taken.
    if (answer.kind === 'refused' || answer.kind === 'busy') this.#isOpen = false
    return answer
  }

  /** Which limits would refuse it. */
  async probe(): Promise<Reservation | LedgerUnavailable> {
    return this.#services.ledgers.reserve({ ...this.ask, dry: true }, this.#call.scope.waits)
  }

  /** From now on its renewals say how far this stream is. */
  follow(meter: Meter): void {
    this.#meter = meter
  }

  /** What it has used so far, that of earlier attempts included; null: nothing is known. */
  progress(): UsageRecord | null {
    const usage = this.#meter?.usage() ?? null
    if (usage === null) return this.#usage
    const running = recordUsage(this.#call, { usage, model: this.#meter?.model ?? null })
    return this.#usage === null ? running : { ...sum(this.#usage, running), requests: 1 }
  }

  /** Keeps its place, says how far it is, and hears how it goes on. One word at a time. */
  renew(): Promise<Renewed | LedgerUnavailable> {
    const renewing = this.#renewing.then(() => this.#renew())
    this.#renewing = renewing
    this.#call.scope.defer(renewing)
    return renewing
  }

  async #renew(): Promise<Renewed | LedgerUnavailable> {
    if (!this.#isOpen) return { kind: 'ended' }
    const { ask, allowanceNanoUsd } = this
    const renewal = { ask, allowanceNanoUsd, progress: this.progress() }
    const renewed = await this.#services.ledgers.renew(renewal)
    if (renewed.kind === 'go') this.allowanceNanoUsd = renewed.allowanceNanoUsd
    if (renewed.kind === 'stop') this.refusals = renewed.refusals
    this.onAnswer()
    return renewed
  }

  /** One attempt's part of the bill. */
  add(usage: UsageRecord): void {
    this.#meter = null
    this.#usage = this.#usage === null ? usage : sum(this.#usage, usage)
  }

  /** The call has ended; said again it does nothing. */
  settle(): void {
    this.#close(false)
  }

  /** The call was refused elsewhere: it leaves no trace. */
  release(): void {
    this.#close(true)
  }

  #close(unused: boolean): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    const { ledgers, log, now } = this.#services
    const { scope, caller } = this.#call
    const usage = this.#usage
    const settlement = {
      id: this.ask.id,
      usage,
      unused,
      askedToKeep: this.askedToKeep,
      tookMs: now() - scope.startedAt,
    }
    const settled = this.#renewing
      // A renewal that arrived after the end would open the tab again.
      .then(() => ledgers.settle(caller.tenant, settlement, scope.waits))
      .catch((error: unknown) =>
        log({
          event: 'bill_not_told',
          request_id: scope.requestId,
          tenant: caller.tenant,
          // It is said again behind a later bill; if the isolate ends before, an estimate stands for what was reserved.
          cost_nano_usd: usage?.costNanoUsd ?? 0,
          error: String(error),
        }),
      )
    scope.defer(settled)
  }
}

const termsOf = ({
  id,
  maxRequests,
  budgetNanoUsd,
  expiresAt,
}: NonNullable<LedgerAsk['token']>): LedgerAsk['token'] => ({
  id,
  maxRequests,
  budgetNanoUsd,
  expiresAt,
})

const sum = (a: UsageRecord, b: UsageRecord): UsageRecord => ({
  ...b,
  requests: (a.requests ?? 1) + (b.requests ?? 1),
  inputTokens: a.inputTokens + b.inputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
  cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
  costNanoUsd: a.costNanoUsd + b.costNanoUsd,
  savedNanoUsd: a.savedNanoUsd + b.savedNanoUsd,
  estimated: a.estimated || b.estimated,
})
