// Sends the caller's own bytes to Claude with the account's credential. A plain `fetch`: the SDK's client would
// parse what must pass untouched.
import type { Account } from '../../core/answering/account.ts'
import type { Upstream, UpstreamCall } from '../../ports.ts'

/** Opens a TCP connection and closes it again; rejects where it is refused, or cannot be tried. */
export type OpenConnection = (
  address: { readonly hostname: string; readonly port: number },
  signal: AbortSignal,
) => Promise<void>

export interface UpstreamOptions {
  /** Without it nobody can tell whether an address takes connections. */
  readonly openConnection?: OpenConnection
}

/** An address that answered so recently takes connections. */
const FRESH_MS = 5_000

export function anthropicUpstream({ openConnection }: UpstreamOptions = {}): Upstream {
  /** By base URL. As many as there are accounts. */
  const answeredAt = new Map<string, number>()
  return {
    send: async (account, call) => {
      const response = await fetch(address(account, call), init(account, call))
      answeredAt.set(account.baseUrl, Date.now())
      return response
    },
    reach: async ({ baseUrl }, signal) => {
      const isFresh = Date.now() - (answeredAt.get(baseUrl) ?? -Infinity) < FRESH_MS
      if (isFresh || openConnection === undefined) return
      // A refusal is an answer, which the call itself will hear.
      await openConnection(hostOf(baseUrl), signal).catch(() => {})
    },
  }
}

function hostOf(baseUrl: string): { hostname: string; port: number } {
  const { hostname, port, protocol } = new URL(baseUrl)
  const usual = protocol === 'http:' ? 80 : 443
  // An IPv6 address stands in brackets in a URL only.
  return { hostname: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? usual : Number(port) }
}

/** Plain objects: the platform takes them in one step, and each attempt has its own account's credential. */
function init(account: Account, call: UpstreamCall): RequestInit {
  return {
    method: call.method,
    headers: {
      ...call.headers,
      'x-api-key': account.apiKey,
      // Compressed bytes could neither be metered nor passed on untouched.
      'accept-encoding': 'identity',
    },
    signal: call.signal,
    redirect: 'manual',
    ...(call.body === null ? {} : { body: call.body as Uint8Array<ArrayBuffer> }),
    // Runtimes ask for the second where the first is a stream; workerd does not know it.
    ...(call.stream === undefined ? {} : { body: call.stream, duplex: 'half' }),
  }
}

/** The caller's path and query as they came; `target` begins with one slash, as a request line does. */
const address = (account: Account, call: UpstreamCall): string => account.baseUrl + call.target
