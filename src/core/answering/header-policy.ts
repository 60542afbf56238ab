// Which headers pass (the contract, section 4.1). Upstream an open list of prefixes goes, so that a new header of
// Claude's works on its first day; down comes everything but what describes our account or this hop.

const FORWARDED = new Set(['content-type', 'accept'])
const FORWARDED_PREFIXES = ['anthropic-', 'x-claude-code-']

/** @param name in lower case */
export const isForwardedRequestHeader = (name: string): boolean =>
  FORWARDED.has(name) || FORWARDED_PREFIXES.some((prefix) => name.startsWith(prefix))

const WITHHELD = new Set([
  // Of this hop (RFC 9110, section 7.6.1), or set anew by the runtime.
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'content-encoding',
  // Of our account, and of Claude's edge.
  'anthropic-organization-id',
  'anthropic-workspace-id',
  'set-cookie',
  'server',
  'via',
  'alt-svc',
  'nel',
  'report-to',
  'reporting-endpoints',
  'strict-transport-security',
  'server-timing',
  'x-envoy-upstream-service-time',
  // Given anew where they hold for the caller: `retry-after` comes on successes too.
  'request-id',
  'retry-after',
  'x-should-retry',
])
const WITHHELD_PREFIXES = [
  'cf-',
  'proxy-',
  'sluice-',
  'access-control-',
  // The account's limits; the tenant's own are told instead.
  'anthropic-ratelimit-',
  'anthropic-fast-',
  'anthropic-priority-',
  'ratelimit',
]

/** @param name in lower case */
export const isReturnedResponseHeader = (name: string): boolean =>
  !WITHHELD.has(name) && !WITHHELD_PREFIXES.some((prefix) => name.startsWith(prefix))

/** What a call goes up with where the route is ours, so that its caller need not know Claude's header. */
export const withApiVersion = (
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> => ({ 'anthropic-version': '2023-06-01', ...headers })
