// What an operator writes to invalidate or to warm the response cache, and how its counts are shown.
import type { Invalidation } from '../caching/generations.ts'
import { matching, object, oneOf, text, truth, wholeNumber } from './fields.ts'
import { tenantId } from './tenant-body.ts'

const MAX_AGE_SECONDS = 31_536_000

const keyOrAnswer = matching(
  /^([0-9A-Za-z]{10}|[0-9a-f]{64})$/,
  "the id of a tenant's key, or the 64 hex digits of sluice-cache-key",
)

export const invalidationBody = object({
  tenant: tenantId,
  user: text({ min: 1, max: 256 }),
  model: text({ min: 1, max: 256 }),
  tag: matching(/^[\x21-\x2b\x2d-\x7e]{1,64}$/, 'a tag of 1 to 64 printable characters'),
  key: keyOrAnswer,
  older_than_seconds: wholeNumber({ min: 0, max: MAX_AGE_SECONDS }),
  all: truth,
})

export interface AskedInvalidation extends Invalidation {
  readonly older_than_seconds?: number
  readonly all?: boolean
}

/** What is wrong with it; null: nothing. */
export function checkInvalidation(asked: AskedInvalidation): string | null {
  const { all, ...named } = asked
  const fields = Object.keys(named)
  if (all === true) {
    const others = fields.filter((name) => name !== 'older_than_seconds')
    return others.length === 0 ? null : `all: goes with no ${others.join(', ')}`
  }
  return fields.length > 0
    ? null
    : 'The body: expected tenant, user, model, tag, key, older_than_seconds or all'
}

export const warmBody = object(
  {
    tenant: tenantId,
    key: matching(/^[0-9A-Za-z]{10}$/, "the id of a tenant's key"),
    user: text({ min: 1, max: 256 }),
    ttl: matching(/^(short|medium|long|[1-9]\d{0,7})$/, 'short, medium, long or seconds'),
    tags: text({ min: 1, max: 600 }),
    scope: oneOf(['tenant', 'user'] as const),
    anthropic_version: matching(/^[\w.-]{1,64}$/, 'a version of the API'),
    anthropic_beta: text({ min: 1, max: 1024 }),
  },
  ['tenant'],
)

export const DEFAULT_VERSION = '2023-06-01'

const countOf = (counts: Readonly<Record<string, number>>, name: string): number =>
  counts[name] ?? 0

export function showCacheStats(
  counts: Readonly<Record<string, number>>,
  isolate: { readonly bytes: number; readonly answers: number },
) {
  const of = (name: string): number => countOf(counts, name)
  return {
    hits: {
      memory: of('hits_memory'),
      colo: of('hits_colo'),
      redis: of('hits_redis'),
      stale: of('hits_stale'),
      collapsed: of('collapsed'),
    },
    misses: of('misses'),
    bypasses: of('bypasses'),
    refreshes: of('refreshes'),
    evictions: of('evictions'),
    bytes: { kept: of('kept_bytes'), served: of('served_bytes') },
    answers_kept: of('kept'),
    saved_usd: of('saved_nano_usd') / 1e9,
    saved_seconds: of('saved_ms') / 1000,
    this_isolate: isolate,
  }
}
