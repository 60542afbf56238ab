// A call about a batch or a file: it asks for no model, and goes to the account that has what it names.
import { GatewayError } from '../../core/errors.ts'
import type { Caller, Services } from '../../ports.ts'
import type { Call, RequestScope } from '../call.ts'
import { forwardedHeaders, readLane, readMaxWait, targetOf, userOf } from '../read-call.ts'

export interface OwnedAsk {
  readonly kind: 'batches' | 'files'
  readonly method: Call['method']
  readonly request: Request
  readonly scope: RequestScope
  readonly caller: Caller
  readonly body: Uint8Array | null
  /** Null: any. */
  readonly account: string | null
}

export function ownedCall(services: Services, ask: OwnedAsk): Call {
  const { kind, method, request, scope, caller, body, account } = ask
  return {
    kind,
    scope,
    caller,
    method,
    target: targetOf(request.url),
    headers: forwardedHeaders(request.headers),
    body,
    model: '',
    estimatedInputTokens: 0,
    prompt: null,
    modelSpan: null,
    markers: null,
    promptCache: null,
    isStream: false,
    maxTokens: null,
    usesThread: false,
    user: userOf(request.headers, caller),
    lane: readLane(request.headers, caller.tier.lane),
    maxWaitMs: readMaxWait(request.headers, caller, services),
    // A tenant's files lie together where they can, so that one message may name any of them.
    affinity: 'files',
    lastAccount: null,
    // What makes something must not be made twice: a batch that was perhaps taken is not sent again.
    isClientRetry: method !== 'GET',
    limits: null,
    tab: null,
    ...(account === null ? {} : { pinnedAccount: account }),
  }
}

/** A token is bound to models, requests and dollars, and a batch or a file to none of them. */
export function expectKey(caller: Caller): void {
  if (caller.token === undefined) return
  throw new GatewayError('model_not_allowed', 'Batches and files are for keys, not for tokens')
}
