// Sends the caller's own bytes to Claude with the account's credential. A plain `fetch`: the SDK's client would
// parse what must pass untouched.
import type { Account } from '../../core/answering/account.ts'
import type { Upstream, UpstreamCall } from '../../ports.ts'

export const anthropicUpstream = (): Upstream => ({
  send: (account, call) => {
    call.onConnected()
    return fetch(address(account, call), init(account, call))
  },
})

function init(account: Account, call: UpstreamCall): RequestInit {
  const headers = call.headers
  // Each attempt sets them anew: the next account has another credential.
  headers.set('x-api-key', account.apiKey)
  // Compressed bytes could neither be metered nor passed on untouched.
  headers.set('accept-encoding', 'identity')
  return {
    method: call.method,
    headers,
    signal: call.signal,
    redirect: 'manual',
    ...(call.body === null ? {} : { body: call.body as Uint8Array<ArrayBuffer> }),
  }
}

/** The caller's path and query as they came; `target` begins with one slash, as a request line does. */
const address = (account: Account, call: UpstreamCall): string => account.baseUrl + call.target
