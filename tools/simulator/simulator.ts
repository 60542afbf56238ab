// The state of one simulator: everything that outlives a request.
import { Gauge, UsageBook } from './accounts.ts'
import { BatchStore } from './batches.ts'
import { FaultRules } from './fault-rules.ts'
import { FileStore } from './files.ts'
import { Journal } from './journal.ts'
import { PromptCache } from './prompt-cache.ts'
import { hash32 } from './random.ts'
import { RateLimits } from './rate-limits.ts'
import type { Settings } from './settings.ts'
import { ThreadStore } from './threads.ts'
import { TimerWheel } from './timer-wheel.ts'

export class Simulator {
  readonly settings: Settings
  readonly seed: number
  readonly now: () => number
  readonly wheel = new TimerWheel()
  readonly limits: RateLimits
  readonly cache: PromptCache
  readonly journal: Journal
  readonly gauge = new Gauge()
  readonly usage = new UsageBook()
  readonly rules: FaultRules
  readonly threads: ThreadStore
  readonly batches: BatchStore
  readonly files: FileStore
  readonly canned = new Map<string, Buffer>()
  #initial: Settings
  #count = 0

  constructor(settings: Settings, now: () => number = Date.now) {
    this.#initial = settings
    this.settings = { ...settings }
    this.seed = hash32(settings.seed)
    this.now = now
    this.limits = new RateLimits(now, settings.limits)
    this.cache = new PromptCache(now)
    this.journal = new Journal(settings.journalSize)
    this.threads = new ThreadStore(now)
    this.batches = new BatchStore(now)
    this.files = new FileStore(now)
    this.rules = new FaultRules(this.seed)
  }

  /** Requests are numbered in order of arrival; the number seeds what differs between two of them. */
  nextNumber(): number {
    return ++this.#count
  }

  /** Back to the first request: the same calls after this give the same run. */
  reset(): void {
    this.#count = 0
    Object.assign(this.settings, this.#initial)
    this.limits.reset(this.settings.limits)
    this.cache.clear()
    this.journal.clear()
    this.gauge.resetMax()
    this.usage.clear()
    this.rules.clear()
    this.threads.clear()
    this.batches.clear()
    this.files.clear()
    this.canned.clear()
  }
}
