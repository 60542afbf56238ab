// One call of a tenant to Claude, as the flows see it: read, allowed to be made, not yet admitted.
import type { Lane } from '../core/admission/admission.ts'
import type { Account } from '../core/answering/account.ts'
import type { Span } from '../core/answering/json-scan.ts'
import type { CacheMarkers, MarkedParts } from '../core/answering/prompt-marker.ts'
import type { PromptSpans } from '../core/answering/prompt-prefix.ts'
import type { Caller, LimitDecision, Waits } from '../ports.ts'
import type { Tab } from './tab.ts'

/** What stays the same for every request that enters: its names, its clock, its caller's presence. */
export interface RequestScope {
  readonly requestId: string
  readonly traceId: string
  readonly startedAt: number
  /** Where it comes from; null: not known. */
  readonly address: string | null
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal
  /** Keeps work alive after the answer. */
  defer(work: Promise<unknown>): void
  readonly timing: Timing
  readonly queue: QueueState
  readonly waits: Waits
}

/** Where the request stands in line just now. */
export interface QueueState {
  /** How often gates were asked: makes each ticket unique. */
  asked: number
  readonly places: QueuePlace[]
}

export interface QueuePlace {
  readonly account: Account
  readonly ticket: string
  readonly since: number
}

/** Milliseconds spent, by the names of `server-timing`; null: that part was not reached. */
export interface Timing {
  authMs: number | null
  storeMs: number | null
  gateMs: number | null
  queueMs: number | null
  upstreamMs: number | null
}

export type CallKind =
  | 'messages'
  | 'count_tokens'
  | 'models'
  | 'chat_completions'
  | 'batches'
  | 'files'

export interface Call {
  readonly kind: CallKind
  readonly scope: RequestScope
  readonly caller: Caller
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Path and query, as the caller sent them. */
  readonly target: string
  /** The caller's headers that go upstream, verbatim. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | null
  /** Empty where the route names none. */
  readonly model: string
  readonly estimatedInputTokens: number
  /** Where its parts stand in the body; null where there is none. */
  readonly prompt: PromptSpans | null
  readonly modelSpan: Span | null
  readonly markers: CacheMarkers | null
  /** What Claude may be asked to keep where the caller did not ask; null: nothing. */
  readonly promptCache: MarkedParts | null
  readonly isStream: boolean
  /** What it may produce; null: it does not say. */
  readonly maxTokens: number | null
  readonly usesThread: boolean
  /** The caller's own name for its end user, or empty. */
  readonly user: string
  readonly lane: Lane
  readonly maxWaitMs: number
  /** Calls with the same one prefer the same account; null: any account. */
  readonly affinity: string | null
  /** The account that served its session last; null: none, or not known. */
  readonly lastAccount: string | null
  /** Claude's files that it names; absent: none. */
  readonly fileIds?: readonly string[]
  /** The only account that has what it names; absent: any. */
  readonly pinnedAccount?: string
  /** True: the client says that it is retrying by itself, so we do not multiply its attempts. */
  readonly isClientRetry: boolean
  /** `cache-status` of its answer; absent: its route has none. */
  readonly cacheStatus?: string
  /** What the request limits said, where they were asked together with something else; null: to be asked. */
  readonly limits: LimitDecision | null
  /** Its account with its tenant's ledger; null: it costs nothing. */
  readonly tab: Tab | null
}

export const newQueueState = (): QueueState => ({ asked: 0, places: [] })

export const newTiming = (): Timing => ({
  authMs: null,
  storeMs: null,
  gateMs: null,
  queueMs: null,
  upstreamMs: null,
})
