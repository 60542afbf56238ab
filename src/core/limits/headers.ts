// `ratelimit-policy` and `ratelimit` of draft-ietf-httpapi-ratelimit-headers: structured lists, one item a
// window, named by a string. `q` the quota, `w` the window in seconds, `r` what remains, `t` seconds to its reset.

interface HeaderWindow {
  readonly name: string
  readonly limit: number
  readonly remaining: number
  readonly windowSeconds: number
  readonly resetSeconds: number
}

export interface RateLimitHeaders {
  readonly 'ratelimit-policy': string
  readonly ratelimit: string
}

/** Null where there is no limit: an empty list is no header. */
export function rateLimitHeaders(windows: readonly HeaderWindow[]): RateLimitHeaders | null {
  if (windows.length === 0) return null
  const policy = windows.map(
    ({ name, limit, windowSeconds }) => `"${name}";q=${limit};w=${windowSeconds}`,
  )
  const state = windows.map(
    ({ name, remaining, resetSeconds }) => `"${name}";r=${remaining};t=${resetSeconds}`,
  )
  return { 'ratelimit-policy': policy.join(', '), ratelimit: state.join(', ') }
}
