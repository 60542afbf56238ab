// The only reader of env. It is parsed once, when the module loads: a bad setting stops the start and lists
// every problem at once, each with what was expected and never with the value that came.
import { readSettings } from './config/read.ts'
import type { Settings } from './config/settings.ts'
import type { GateSettings } from './core/admission/settings.ts'
import type { Account } from './core/answering/account.ts'
import type { AroundLimits } from './core/limits/request-windows.ts'

export interface Config {
  readonly accounts: readonly Account[]
  /** Of accounts that name none. */
  readonly baseUrl: string
  readonly adminToken: string
  readonly bodyMaxBytes: number
  readonly gate: GateSettings
  /** How long a call waits for another that writes the same prefix to Claude's cache. */
  readonly prefixWaitMs: number
  readonly keys: KeySettings
  readonly limits: AroundSettings
  readonly upstream: UpstreamSettings
  readonly retry: RetrySettings
  readonly redis: RedisSettings | null
  readonly session: { readonly ttlSeconds: number; readonly maxBytes: number }
  readonly cache: CacheSettings
  readonly jobs: JobSettings
  readonly webhooks: WebhookSettings
}

export interface KeySettings {
  readonly pepper: string
  /** While a pepper is being changed: what was made under it is still good, and nothing is made under it. */
  readonly previousPepper: string | null
  /** How long an isolate trusts what it read of a key: also the bound on revocation. */
  readonly cacheMs: number
}

/** Limits around all tenants, a minute; null: there is none. */
export interface AroundSettings extends AroundLimits {
  /** Keys and tokens that were not known, of one address, at one isolate. */
  readonly authFailuresPerMinute: number | null
}

/** Each attempt's own bounds, and after how much silence a stream gets a comment line. */
export interface UpstreamSettings {
  readonly connectTimeoutMs: number
  readonly firstByteTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly totalTimeoutMs: number
  readonly pingMs: number
}

export interface RetrySettings {
  /** In all, the first included. */
  readonly attempts: number
  readonly baseMs: number
  readonly maxMs: number
  readonly budgetRatio: number
  /** The longest `retry-after` that is obeyed or handed out. */
  readonly retryAfterMaxMs: number
}

export interface RedisSettings {
  readonly url: string
  readonly token: string
  readonly timeoutMs: number
}

export interface CacheSettings {
  readonly ttlSeconds: number
  /** The largest answer that is kept. */
  readonly maxBytes: number
  /** What each isolate holds itself. */
  readonly memoryBytes: number
}

export interface JobSettings {
  readonly attempts: number
  readonly backoffSeconds: readonly number[]
  readonly timeoutMs: number
  readonly resultTtlSeconds: number
}

export interface WebhookSettings {
  readonly timeoutMs: number
  readonly scheduleSeconds: readonly number[]
  /** Exact origins exempt from the address rules. */
  readonly allowedOrigins: readonly string[]
  /** Where the operator is told what happens; null: nowhere. */
  readonly operatorUrl: string | null
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`The configuration has problems:\n${problems.map((line) => `  - ${line}`).join('\n')}`)
    this.problems = problems
  }
}

/** Throws one ConfigError with every problem. */
export function parseConfig(env: unknown): Config {
  const read = readSettings(Object.assign({}, env))
  if (read.kind === 'bad') throw new ConfigError(read.problems)
  return toConfig(read.settings, read.accounts)
}

function toConfig(settings: Settings, accounts: readonly Account[]): Config {
  return {
    accounts,
    baseUrl: settings.ANTHROPIC_BASE_URL,
    adminToken: settings.ADMIN_TOKEN,
    bodyMaxBytes: settings.SLUICE_BODY_MAX_BYTES,
    keys: {
      pepper: settings.KEY_PEPPER,
      previousPepper: settings.KEY_PEPPER_PREVIOUS ?? null,
      cacheMs: settings.SLUICE_KEY_CACHE_MS,
    },
    limits: {
      addressPerMinute: settings.SLUICE_IP_REQUESTS_PER_MINUTE || null,
      deploymentPerMinute: settings.SLUICE_GLOBAL_REQUESTS_PER_MINUTE || null,
      authFailuresPerMinute: settings.SLUICE_AUTH_FAILURES_PER_MINUTE || null,
    },
    redis: toRedis(settings),
    session: {
      ttlSeconds: settings.SLUICE_SESSION_TTL_SECONDS,
      maxBytes: settings.SLUICE_SESSION_MAX_BYTES,
    },
    cache: {
      ttlSeconds: settings.SLUICE_CACHE_TTL_SECONDS,
      maxBytes: settings.SLUICE_CACHE_MAX_BYTES,
      memoryBytes: settings.SLUICE_CACHE_MEMORY_BYTES,
    },
    gate: toGate(settings),
    prefixWaitMs: settings.SLUICE_PREFIX_WAIT_MS,
    ...toCalls(settings),
    ...toLaterWork(settings),
  }
}

function toRedis(settings: Settings): RedisSettings | null {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = settings
  if (url === undefined || token === undefined) return null
  return { url, token, timeoutMs: settings.SLUICE_REDIS_TIMEOUT_MS }
}

function toGate(settings: Settings): GateSettings {
  return {
    breakerWindowMs: settings.SLUICE_BREAKER_WINDOW_MS,
    breakerMinCalls: settings.SLUICE_BREAKER_MIN_CALLS,
    breakerFailureRatio: settings.SLUICE_BREAKER_FAILURE_RATIO,
    breakerConsecutive: settings.SLUICE_BREAKER_CONSECUTIVE,
    breakerCooldownMs: settings.SLUICE_BREAKER_COOLDOWN_MS,
    breakerCooldownMaxMs: settings.SLUICE_BREAKER_COOLDOWN_MAX_MS,
    breakerProbes: settings.SLUICE_BREAKER_PROBES,
    breakerProbeTimeoutMs: settings.SLUICE_BREAKER_PROBE_TIMEOUT_MS,
    breakerSuccesses: settings.SLUICE_BREAKER_SUCCESSES,
    leaseTtlMs: settings.SLUICE_LEASE_TTL_MS,
    leaseRenewMs: settings.SLUICE_LEASE_RENEW_MS,
    queueWaitMs: settings.SLUICE_QUEUE_WAIT_MS,
    queueLength: settings.SLUICE_QUEUE_LENGTH,
    queuePerTenant: settings.SLUICE_QUEUE_PER_TENANT,
    retryBudgetRatio: settings.SLUICE_RETRY_BUDGET_RATIO,
  }
}

function toCalls(settings: Settings): Pick<Config, 'upstream' | 'retry'> {
  return {
    upstream: {
      connectTimeoutMs: settings.SLUICE_CONNECT_TIMEOUT_MS,
      firstByteTimeoutMs: settings.SLUICE_FIRST_BYTE_TIMEOUT_MS,
      idleTimeoutMs: settings.SLUICE_IDLE_TIMEOUT_MS,
      totalTimeoutMs: settings.SLUICE_TOTAL_TIMEOUT_MS,
      pingMs: settings.SLUICE_PING_MS,
    },
    retry: {
      attempts: settings.SLUICE_RETRY_ATTEMPTS,
      baseMs: settings.SLUICE_RETRY_BASE_MS,
      maxMs: settings.SLUICE_RETRY_MAX_MS,
      budgetRatio: settings.SLUICE_RETRY_BUDGET_RATIO,
      retryAfterMaxMs: settings.SLUICE_RETRY_AFTER_MAX_MS,
    },
  }
}

function toLaterWork(settings: Settings): Pick<Config, 'jobs' | 'webhooks'> {
  return {
    jobs: {
      attempts: settings.SLUICE_JOB_ATTEMPTS,
      backoffSeconds: settings.SLUICE_JOB_BACKOFF_SECONDS,
      timeoutMs: settings.SLUICE_JOB_TIMEOUT_MS,
      resultTtlSeconds: settings.SLUICE_JOB_RESULT_TTL_SECONDS,
    },
    webhooks: {
      timeoutMs: settings.SLUICE_WEBHOOK_TIMEOUT_MS,
      scheduleSeconds: settings.SLUICE_WEBHOOK_SCHEDULE_SECONDS,
      allowedOrigins: settings.SLUICE_WEBHOOK_ALLOW,
      operatorUrl: settings.SLUICE_OPERATOR_WEBHOOK_URL ?? null,
    },
  }
}
