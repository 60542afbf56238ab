// Every interface that the flows depend on, and the bag that carries them. Adapters live in src/adapters;
// each port has one contract suite in test/contract that every adapter passes.
import type { Account, StoredAccount, UnusableAccount } from './core/answering/account.ts'
import type { TokenGrant } from './core/keys/browser-token.ts'
import type { Tier } from './core/money/tier.ts'
import type { GroupField } from './core/money/usage-report.ts'
import type { Config } from './config.ts'
import type { AdminStore } from './ports/admin.ts'
import type { AccountGates, GateOperations, Waits } from './ports/gates.ts'
import type { Ledgers } from './ports/ledgers.ts'
import type { JobBatchRuns, JobDesk, JobRuns, Jobs } from './ports/jobs.ts'
import type { AnswerStore, ColoAnswers } from './ports/answers.ts'
import type { OwnedObjects } from './ports/owned-objects.ts'
import type { SessionStore } from './ports/sessions.ts'
import type { Webhooks } from './ports/webhooks.ts'

export type {
  AccountGates,
  GatedAccount,
  GateOperation,
  GateOperations,
  GateUnavailable,
  LeaseProgress,
  LeaseStanding,
  TimelinePage,
  Waits,
} from './ports/gates.ts'
export type { Ledgers, LedgerUnavailable } from './ports/ledgers.ts'

/** A key as its tenant's limits make it: all that a request needs to know of its caller. */
export interface Caller {
  readonly tenant: string
  readonly keyId: string
  readonly tier: Tier
  readonly models: readonly string[] | null
  readonly origins: readonly string[] | null
  readonly limitsFail: 'open' | 'closed' | 'count'
  /** Addresses and ranges that it may call from; null: any. */
  readonly ips: readonly string[] | null
  /** Where it calls from, for the limits of addresses; absent or null: not known. */
  readonly address?: string | null
  /** Where Claude may be asked to keep a prefix without the caller's word. */
  readonly autoPromptCache: 'off' | 'sessions' | 'all'
  /** For how long its tenant has answers cached that do not say; absent or null: only requests that ask are cached. */
  readonly cacheTtlSeconds?: number | null
  /** What binds it further, where it came with a browser token of its key. */
  readonly token?: TokenGrant
}

/** A stored key with its tenant and tier joined. `secretHash` is HMAC-SHA-256 under the pepper, hex. */
export interface StoredKey extends Caller {
  readonly secretHash: string
  readonly disabled: boolean
  readonly tenantDisabled: boolean
  readonly expiresAt: number | null
  /** The secret before the last rotation; null: it was never rotated. */
  readonly former: FormerSecret | null
}

export interface FormerSecret {
  readonly secretHash: string
  /** Epoch ms. */
  readonly until: number
}

/** A key's hash under another pepper. */
export interface HashChange {
  readonly from: string
  readonly to: string
  readonly at: number
}

export interface KeyStore {
  /** Throws when the store cannot be asked; null when there is no such key. */
  findKey(keyId: string): Promise<StoredKey | null>
  /** Answers or throws: for GET /ready. */
  ping(): Promise<void>
  /** True when some tenant, key or living token allows this browser origin: a CORS preflight carries no key. */
  allowsOrigin(origin: string, now: number): Promise<boolean>
  /** Where the hash is still `from`. */
  replaceHash(keyId: string, change: HashChange): Promise<void>
  /** From now on until then this origin is allowed by some token. Forgets those whose time is over. */
  allowOrigin(origin: string, until: number, now: number): Promise<void>
}

/** The accounts as this isolate knows them, those of the settings and those that joined while it runs. */
export interface AccountDirectory {
  /**
   * Those that a call may go to, draining ones among them: at once where the list is fresh or its store is down, else
   * after one read. Never throws. `defer` keeps a read alive when the caller that began it leaves.
   */
  usable(defer?: (work: Promise<unknown>) => void): readonly Account[] | Promise<readonly Account[]>
  /** Reads the list again now, so that this isolate sees its own change. */
  refresh(): Promise<void>
}

/** What is kept of accounts beside the settings. */
export interface AccountStore {
  /** Throws when the store cannot be asked. `newest`: with every write that was acknowledged before. */
  listAccounts(freshness: 'nearest' | 'newest'): Promise<StoredAccounts>
  /** The same credential, sealed anew; nothing happens where it is not as it was any more. */
  resealAccount(id: string, sealed: { readonly from: string; readonly to: string }): Promise<void>
}

export interface StoredAccounts {
  readonly accounts: readonly StoredAccount[]
  /** Rows that say nothing clear: they must not hide the others. */
  readonly unreadable: readonly UnusableAccount[]
}

export interface TakeOptions {
  /** In one round trip with what else is asked of Redis at this moment. */
  readonly together: boolean
}

/** The request-rate windows of the tenant, and those around all tenants. One store round trip for all of them. */
export interface RequestLimits {
  /** Counts one request against every window, all or nothing. Bounded in time; never throws. */
  take(caller: Caller, waits?: Waits, options?: TakeOptions): Promise<LimitDecision>
  /** Gives one request back: it was refused for another reason after it was counted. */
  refund(caller: Caller, waits?: Waits): Promise<void>
  /** What is left to the tenant, without counting anything. Empty where the store cannot say. */
  peek(caller: Caller, waits?: Waits): Promise<readonly LimitWindow[]>
  /**
   * The refusal by a limit around all tenants that a call from there would get, as far as this isolate remembers: before
   * its key is looked at, and without asking anyone.
   */
  recall(address: string | null): LimitRefusal | null
  ping(): Promise<void>
}

export interface LimitWindow {
  /** `minute` and `hour` are the tenant's; the others hold around all tenants. */
  readonly name: 'minute' | 'hour' | 'address' | 'deployment'
  readonly limit: number
  readonly remaining: number
  readonly windowSeconds: number
  /** Seconds until the window has room for its whole limit again. */
  readonly resetSeconds: number
}

export type LimitDecision =
  | {
      readonly kind: 'allowed'
      readonly windows: readonly LimitWindow[]
      readonly degraded: boolean
      /** It was counted when it came, so nothing is given back. */
      readonly isUncounted?: true
    }
  | LimitRefusal

export interface LimitRefusal {
  readonly kind: 'refused'
  readonly windows: readonly LimitWindow[]
  /** The windows that refuse, by name. */
  readonly refusedBy: readonly LimitWindow['name'][]
  /** Ms after which one request would be admitted. */
  readonly retryAfterMs: number
  readonly degraded: boolean
}

/** One call to Claude. The only port that sees HTTP. */
export interface Upstream {
  send(account: Account, call: UpstreamCall): Promise<Response>
  /**
   * Resolves once the account's address takes connections, or where that cannot be told; stays pending while its
   * handshakes hang. Never throws.
   */
  reach(account: Account, signal: AbortSignal): Promise<void>
}

export interface UpstreamCall {
  readonly method: string
  /** Path and query as the caller sent them. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | null
  /** Instead of a body: passed on as it comes. */
  readonly stream?: ReadableStream<Uint8Array>
  readonly signal: AbortSignal
}

export interface UsageRow {
  readonly tenant: string
  readonly day: string
  readonly model: string
  readonly key: string
  readonly user: string
  readonly requests: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheWriteTokens: number
  readonly cacheReadTokens: number
  readonly costNanoUsd: number
  readonly savedNanoUsd: number
}

export interface TenantSpan {
  readonly tenant: string
  /** Days in UTC, inclusive. */
  readonly from: string
  readonly to: string
  /** What rows are kept apart by; the other fields may be empty. */
  readonly groupBy: readonly GroupField[]
}

export interface UsageReader {
  /** One tenant's usage, with what has not been rolled up yet: each call once, though some rows may be of the same group. */
  findUsage(span: TenantSpan): Promise<readonly UsageRow[]>
}

export interface LogLine {
  readonly event: string
  readonly [field: string]: string | number | boolean | null
}

export interface Services {
  readonly config: Config
  readonly accounts: AccountDirectory
  readonly keys: KeyStore
  readonly gates: AccountGates
  readonly ledgers: Ledgers
  readonly operations: GateOperations
  readonly limits: RequestLimits
  readonly jobs: Jobs
  readonly jobRuns: JobRuns
  readonly jobBatches: JobBatchRuns
  readonly jobDesk: JobDesk
  readonly sessions: SessionStore
  readonly answers: AnswerStore
  /** The data centre's own cache, where there is one. */
  readonly colo?: ColoAnswers
  readonly usage: UsageReader
  readonly admin: AdminStore
  readonly webhooks: Webhooks
  readonly owned: OwnedObjects
  readonly upstream: Upstream
  /** The platform's own way to pass bytes on, where it has one that is cheaper than a TransformStream. */
  readonly openPipe?: () => {
    readonly readable: ReadableStream<Uint8Array>
    readonly writable: WritableStream<Uint8Array>
  }
  /** Where a request comes from; null: not known. */
  readonly addressOf: (request: Request) => string | null
  readonly now: () => number
  readonly random: () => number
  readonly log: (line: LogLine) => void
}
