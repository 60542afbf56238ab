// What a request wants of the response cache: nothing, unless its headers or its tenant's settings ask.
import type { CacheScope } from './answer-key.ts'
import { type CacheControl, readCacheControl } from './cache-control.ts'

export interface CacheAsk {
  readonly scope: CacheScope
  /** How long an answer of this request is fresh. */
  readonly ttlSeconds: number
  readonly tags: readonly string[]
  /** False: a kept answer is not wanted, but this one may be kept. */
  readonly reads: boolean
  /** The oldest answer that will do; Infinity: any that is fresh. */
  readonly maxAgeSeconds: number
  /** For how long it must still be fresh. */
  readonly minFreshSeconds: number
  /** How long past its time it will do while another is fetched. */
  readonly maxStaleSeconds: number
  /** The same where Claude cannot answer. */
  readonly staleIfErrorSeconds: number
  readonly onlyIfCached: boolean
}

export type ReadCacheAsk =
  | { readonly kind: 'off' }
  | { readonly kind: 'ask'; readonly ask: CacheAsk }
  | { readonly kind: 'invalid'; readonly message: string }

export interface CacheWords {
  readonly cacheControl: string | null
  /** The `sluice-cache-` headers. */
  readonly ttl: string | null
  readonly tags: string | null
  readonly scope: string | null
}

export interface CacheDefaults {
  /** The tenant's setting; null: only requests that ask are cached. */
  readonly tenantTtlSeconds: number | null
  readonly ttlSeconds: number
}

const NAMED_TTLS = new Map([
  ['short', 3_600],
  ['medium', 86_400],
  ['long', 604_800],
])
const MAX_TTL_SECONDS = 31_536_000
const MOST_TAGS = 8
const TAG = /^[\x21-\x2b\x2d-\x7e]{1,64}$/

export function readCacheAsk(words: CacheWords, defaults: CacheDefaults): ReadCacheAsk {
  const read = readCacheControl(words.cacheControl)
  if (read.kind === 'invalid') return read
  const { control } = read
  const ttlSeconds = ttlOf(words, defaults)
  if (ttlSeconds === null) {
    return invalid(
      `sluice-cache-ttl: expected short, medium, long or 1 to ${MAX_TTL_SECONDS} seconds`,
    )
  }
  if (control.noStore || !isAsked(words, control, defaults)) return { kind: 'off' }
  const tags = tagsOf(words.tags)
  if (tags === null) {
    return invalid(
      `sluice-cache-tags: expected at most ${MOST_TAGS} tags of 1 to 64 printable characters, separated by commas`,
    )
  }
  const scope = words.scope ?? 'tenant'
  if (scope !== 'tenant' && scope !== 'user') {
    return invalid('sluice-cache-scope: expected tenant or user')
  }
  return {
    kind: 'ask',
    ask: {
      scope,
      ttlSeconds,
      tags,
      reads: !control.noCache,
      maxAgeSeconds: control.maxAge ?? Infinity,
      minFreshSeconds: control.minFresh ?? 0,
      maxStaleSeconds: control.maxStale ?? 0,
      staleIfErrorSeconds: control.staleIfError ?? 0,
      onlyIfCached: control.onlyIfCached,
    },
  }
}

const isAsked = (
  words: CacheWords,
  control: CacheControl,
  { tenantTtlSeconds }: CacheDefaults,
): boolean =>
  words.ttl !== null || control.maxAge !== null || control.onlyIfCached || tenantTtlSeconds !== null

/** What the caller names, else what its tenant set; null: what it names is none. */
function ttlOf({ ttl }: CacheWords, defaults: CacheDefaults): number | null {
  if (ttl === null) return defaults.tenantTtlSeconds ?? defaults.ttlSeconds
  const seconds = NAMED_TTLS.get(ttl) ?? (/^\d{1,9}$/.test(ttl) ? Number(ttl) : 0)
  return seconds >= 1 && seconds <= MAX_TTL_SECONDS ? seconds : null
}

function tagsOf(header: string | null): readonly string[] | null {
  if (header === null) return []
  const tags = [...new Set(header.split(',').map((tag) => tag.trim()))].filter((tag) => tag !== '')
  return tags.length <= MOST_TAGS && tags.every((tag) => TAG.test(tag)) ? tags.toSorted() : null
}

const invalid = (message: string): ReadCacheAsk => ({ kind: 'invalid', message })
