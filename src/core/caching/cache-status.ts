// `cache-status` (RFC 9211): what became of a request at the response cache.

export const CACHE_STATUS = {
  /** Not asked for, or the cache cannot be reached. */
  bypass: 'sluice; fwd=bypass',
  miss: 'sluice; fwd=miss',
  /** The caller would not have what is kept. */
  request: 'sluice; fwd=request',
  /** What is kept is too old. */
  stale: 'sluice; fwd=stale',
  /** Answered by the call that another request had begun. */
  collapsed: 'sluice; fwd=miss; collapsed',
  /** The same while the cache cannot be reached. */
  bypassCollapsed: 'sluice; fwd=bypass; collapsed',
  hit: 'sluice; hit',
  staleHit: 'sluice; hit; detail=stale',
  /** Nothing is kept, and the caller wanted nothing else. */
  onlyIfCached: 'sluice; detail=only-if-cached',
} as const

export type CacheStatus = (typeof CACHE_STATUS)[keyof typeof CACHE_STATUS]
