// What a caller says in `cache-control` (RFC 9111, section 5.2.1, and RFC 5861): directives that we know are read
// strictly, others are ignored as the standard asks.

export interface CacheControl {
  readonly noStore: boolean
  readonly noCache: boolean
  readonly onlyIfCached: boolean
  /** Seconds; null: not said. */
  readonly maxAge: number | null
  readonly minFresh: number | null
  /** Infinity where any staleness will do. */
  readonly maxStale: number | null
  readonly staleIfError: number | null
}

export type ReadCacheControl =
  | { readonly kind: 'read'; readonly control: CacheControl }
  | { readonly kind: 'invalid'; readonly message: string }

const FLAGS = new Map([
  ['no-store', 'noStore'],
  ['no-cache', 'noCache'],
  ['only-if-cached', 'onlyIfCached'],
])
const SECONDS = new Map([
  ['max-age', 'maxAge'],
  ['min-fresh', 'minFresh'],
  ['max-stale', 'maxStale'],
  ['stale-if-error', 'staleIfError'],
])

const SAYS_NOTHING: CacheControl = {
  noStore: false,
  noCache: false,
  onlyIfCached: false,
  maxAge: null,
  minFresh: null,
  maxStale: null,
  staleIfError: null,
}

export function readCacheControl(header: string | null): ReadCacheControl {
  if (header === null) return { kind: 'read', control: SAYS_NOTHING }
  const said: Record<string, boolean | number | null> = { ...SAYS_NOTHING }
  for (const directive of directivesOf(header)) {
    const { name, value } = directive
    const flag = FLAGS.get(name)
    if (flag !== undefined) said[flag] = true
    const field = SECONDS.get(name)
    if (field === undefined) continue
    const seconds = name === 'max-stale' && value === null ? Infinity : readSeconds(value)
    if (seconds === null) {
      return { kind: 'invalid', message: `cache-control: ${name}: expected whole seconds` }
    }
    said[field] = seconds
  }
  // Each field was set by the reader of its kind.
  return { kind: 'read', control: said as unknown as CacheControl }
}

interface Directive {
  readonly name: string
  readonly value: string | null
}

/** A quoted value may hold commas. */
function directivesOf(header: string): readonly Directive[] {
  return [...header.matchAll(/([^\s,;="]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*)))?/g)].map(
    ([, name = '', quoted, token]) => ({
      name: name.toLowerCase(),
      value: quoted ?? token ?? null,
    }),
  )
}

/** Larger numbers mean for ever, by the standard. */
const FOREVER_SECONDS = 2 ** 31

const readSeconds = (value: string | null): number | null =>
  value !== null && /^\d{1,15}$/.test(value) ? Math.min(Number(value), FOREVER_SECONDS) : null
