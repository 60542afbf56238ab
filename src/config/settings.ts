// Every setting by name, with how it is read and its default. docs/OPERATIONS.md describes the same list; a
// test compares the two. Bounds come from the platform where it has one: timers, queues, request sizes.
import * as z from 'zod/mini'
import {
  baseUrl,
  credential,
  integer,
  integerList,
  MAX_TIMER_MS,
  originList,
  ratio,
  secret,
  value,
} from './values.ts'

const MAX_COUNT = 1_000_000
const MAX_TTL_SECONDS = 31_536_000
/** Upstash takes requests up to 10 MB. */
const MAX_STORED_BYTES = 10_000_000
/** An isolate has 128 MB for all that it does. */
const MAX_MEMORY_BYTES = 67_108_864
/** A queue delays a message 12 hours and retries it 100 times at most; a consumer runs for 15 minutes. */
const MAX_QUEUE_DELAY_SECONDS = 43_200
const MAX_QUEUE_ATTEMPTS = 100
const MAX_CONSUMER_MS = 900_000

export const SETTINGS = {
  ANTHROPIC_API_KEY: z.optional(credential()),
  ANTHROPIC_ACCOUNTS: z.optional(value('a JSON list of accounts', readJsonList)),
  ANTHROPIC_BASE_URL: z._default(baseUrl(), 'https://api.anthropic.com'),
  UPSTASH_REDIS_REST_URL: z.optional(baseUrl()),
  UPSTASH_REDIS_REST_TOKEN: z.optional(credential()),
  ADMIN_TOKEN: secret(32),
  KEY_PEPPER: secret(32),
  KEY_PEPPER_PREVIOUS: z.optional(secret(32)),

  SLUICE_BREAKER_WINDOW_MS: ms(60_000),
  SLUICE_BREAKER_MIN_CALLS: count(10),
  SLUICE_BREAKER_FAILURE_RATIO: z._default(ratio(0, 1, 'excluded'), 0.5),
  SLUICE_BREAKER_CONSECUTIVE: count(5),
  SLUICE_BREAKER_COOLDOWN_MS: ms(60_000),
  SLUICE_BREAKER_COOLDOWN_MAX_MS: ms(900_000),
  SLUICE_BREAKER_PROBES: count(1),
  SLUICE_BREAKER_PROBE_TIMEOUT_MS: ms(30_000),
  SLUICE_BREAKER_SUCCESSES: count(2),

  SLUICE_LEASE_TTL_MS: ms(60_000, 2),
  SLUICE_LEASE_RENEW_MS: ms(20_000),
  SLUICE_QUEUE_WAIT_MS: ms(10_000, 0),
  SLUICE_QUEUE_LENGTH: count(500, 0),
  SLUICE_QUEUE_PER_TENANT: count(50, 0),
  SLUICE_PREFIX_WAIT_MS: ms(3_000, 0),

  SLUICE_CONNECT_TIMEOUT_MS: ms(10_000),
  SLUICE_FIRST_BYTE_TIMEOUT_MS: ms(120_000),
  SLUICE_IDLE_TIMEOUT_MS: ms(60_000),
  SLUICE_TOTAL_TIMEOUT_MS: ms(900_000),
  SLUICE_PING_MS: ms(15_000),

  SLUICE_RETRY_ATTEMPTS: z._default(integer(1, 20), 3),
  SLUICE_RETRY_BASE_MS: ms(500, 0),
  SLUICE_RETRY_MAX_MS: ms(8_000, 0),
  SLUICE_RETRY_BUDGET_RATIO: z._default(ratio(0, 1), 0.2),
  SLUICE_RETRY_AFTER_MAX_MS: ms(30_000, 0),

  SLUICE_SESSION_TTL_SECONDS: z._default(integer(1, MAX_TTL_SECONDS), 86_400),
  SLUICE_SESSION_MAX_BYTES: z._default(integer(1, MAX_STORED_BYTES), 524_288),
  SLUICE_CACHE_TTL_SECONDS: z._default(integer(1, MAX_TTL_SECONDS), 3_600),
  SLUICE_CACHE_MAX_BYTES: z._default(integer(1, MAX_STORED_BYTES), 1_048_576),
  SLUICE_CACHE_MEMORY_BYTES: z._default(integer(0, MAX_MEMORY_BYTES), 16_777_216),

  SLUICE_REDIS_TIMEOUT_MS: ms(250),
  SLUICE_KEY_CACHE_MS: ms(5_000, 0),
  SLUICE_IP_REQUESTS_PER_MINUTE: count(0, 0),
  SLUICE_GLOBAL_REQUESTS_PER_MINUTE: count(0, 0),
  SLUICE_AUTH_FAILURES_PER_MINUTE: count(10_000, 0),
  SLUICE_BODY_MAX_BYTES: z._default(integer(1, 104_857_600), 33_554_432),

  SLUICE_JOB_ATTEMPTS: z._default(integer(1, MAX_QUEUE_ATTEMPTS), 4),
  SLUICE_JOB_BACKOFF_SECONDS: z._default(integerList(0, MAX_QUEUE_DELAY_SECONDS), [10, 30, 60]),
  SLUICE_JOB_TIMEOUT_MS: z._default(integer(1, MAX_CONSUMER_MS), 300_000),
  SLUICE_JOB_RESULT_TTL_SECONDS: z._default(integer(1, MAX_TTL_SECONDS), 3_600),

  SLUICE_WEBHOOK_TIMEOUT_MS: ms(15_000),
  SLUICE_WEBHOOK_SCHEDULE_SECONDS: z._default(
    integerList(0, MAX_TTL_SECONDS),
    [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400],
  ),
  SLUICE_WEBHOOK_ALLOW: z._default(originList(), []),
  SLUICE_OPERATOR_WEBHOOK_URL: z.optional(
    value('a URL', (input) => (typeof input === 'string' ? input : undefined)),
  ),
}

export const settingsSchema = z.object(SETTINGS)
export type Settings = z.infer<typeof settingsSchema>

function ms(fallback: number, min = 1) {
  return z._default(integer(min, MAX_TIMER_MS), fallback)
}

function count(fallback: number, min = 1) {
  return z._default(integer(min, MAX_COUNT), fallback)
}

/** JSON from a secret, or a list as wrangler.toml may hold one. A parser's own words would quote secrets. */
function readJsonList(input: unknown): readonly unknown[] | undefined {
  try {
    const list: unknown = typeof input === 'string' ? JSON.parse(input) : input
    return Array.isArray(list) ? list : undefined
  } catch {
    return undefined
  }
}
