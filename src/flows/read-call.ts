// Turns a request into a call that may be made: who calls, what for, and whether this key may. Throws the refusal
// otherwise. Nothing is sent yet, and no store is asked on a warm path.
import type { Lane } from '../core/admission/admission.ts'
import { CACHE_STATUS } from '../core/caching/cache-status.ts'
import { isForwardedRequestHeader } from '../core/answering/header-policy.ts'
import { mayUseModel } from '../core/keys/allowed-models.ts'
import { type MessageFacts, scanMessageRequest } from '../core/answering/message-request.ts'
import { GatewayError } from '../core/errors.ts'
import type { Caller, Services } from '../ports.ts'
import type { Call, CallKind, RequestScope } from './call.ts'
import type { Identifier } from './identify.ts'
import { checkJsonHeaders, readBody } from './read-body.ts'
import { Tab } from './tab.ts'

const LANES: readonly Lane[] = ['low', 'normal', 'high']
const MAX_USER_CHARS = 256

export type CallReader = (
  kind: CallKind,
  request: Request,
  scope: RequestScope,
  model?: string,
) => Promise<Call>

export function createCallReader(services: Services, identify: Identifier): CallReader {
  return async (kind, request, scope, model) => {
    const caller = await identify(request, scope)
    const body = kind === 'models' ? null : await readJsonBody(services, request)
    return describeCall(services, {
      kind,
      request,
      scope,
      caller,
      body,
      ...(model === undefined ? {} : { model }),
    })
  }
}

export interface CallSource {
  readonly kind: CallKind
  readonly request: Request
  readonly scope: RequestScope
  readonly caller: Caller
  /** What goes upstream. */
  readonly body: Uint8Array | null
  /** Where the path names it. */
  readonly model?: string
}

/** Throws what is wrong with it, or not allowed to this caller. */
export function describeCall(services: Services, source: CallSource): Call {
  const { kind, request, scope, caller, body } = source
  const facts = body === null ? null : readFacts(kind, body)
  const named = facts?.model ?? source.model ?? ''
  if (named !== '' && !mayUseModel(caller, named)) {
    throw kind === 'models'
      ? new GatewayError('not_found', `model: ${named}`)
      : new GatewayError('model_not_allowed', `model: this key may not use ${named}`)
  }
  const call: Omit<Call, 'tab'> = {
    kind,
    scope,
    caller,
    method: kind === 'models' ? 'GET' : 'POST',
    target: targetOf(request.url),
    headers: forwardedHeaders(request.headers),
    body,
    model: named,
    estimatedInputTokens: facts?.estimatedInputTokens ?? 0,
    prompt: facts?.prompt ?? null,
    modelSpan: facts?.modelSpan ?? null,
    markers: facts?.markers ?? null,
    promptCache: kind === 'messages' && caller.autoPromptCache === 'all' ? 'all' : null,
    isStream: facts?.stream ?? false,
    maxTokens: facts?.maxTokens ?? null,
    usesThread: facts?.thread !== undefined && facts.thread !== null,
    user: userOf(request.headers, caller),
    lane: readLane(request.headers, caller.tier.lane),
    maxWaitMs: readMaxWait(request.headers, caller, services),
    affinity: readSession(request.headers),
    lastAccount: null,
    isClientRetry: Number(request.headers.get('x-stainless-retry-count') ?? 0) > 0,
    limits: null,
    fileIds: facts?.fileIds ?? [],
    ...(kind === 'messages' ? { cacheStatus: CACHE_STATUS.bypass } : {}),
  }
  const costs = kind === 'messages' || kind === 'chat_completions'
  return { ...call, tab: costs ? new Tab(services, call) : null }
}

export async function readJsonBody(services: Services, request: Request): Promise<Uint8Array> {
  checkJsonHeaders(request.headers)
  return readBody(request, services.config.bodyMaxBytes)
}

function readFacts(kind: CallKind, body: Uint8Array): MessageFacts {
  const shape = kind === 'count_tokens' || kind === 'chat_completions' ? kind : 'messages'
  const scan = scanMessageRequest(body, shape)
  if (scan.kind === 'invalid') throw new GatewayError(scan.reason, scan.message)
  return scan.facts
}

/** Everything after the origin, byte for byte. */
export function targetOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('//') + 2)
  return start < 0 ? '/' : url.slice(start)
}

export function forwardedHeaders(headers: Headers): Record<string, string> {
  const forwarded: Record<string, string> = {}
  for (const [name, value] of headers) {
    if (isForwardedRequestHeader(name)) forwarded[name] = value
  }
  return forwarded
}

/** What calls of one conversation have in common, by the name that the caller gives it. */
const readSession = (headers: Headers): string | null => headers.get('x-claude-code-session-id')

/** A token's user is its key's word, whatever the page says. */
export const userOf = (headers: Headers, { token }: Caller): string =>
  token === undefined ? readUser(headers) : token.user

function readUser(headers: Headers): string {
  const user = headers.get('sluice-user') ?? ''
  if (user.length > MAX_USER_CHARS) {
    throw new GatewayError(
      'invalid_request',
      `sluice-user: expected at most ${MAX_USER_CHARS} characters`,
    )
  }
  return user
}

/** A lower lane may be asked for, never a higher than the tier's. */
export function readLane(headers: Headers, tierLane: Lane): Lane {
  const asked = headers.get('sluice-lane')
  if (asked === null) return tierLane
  const lane = LANES.find((name) => name === asked)
  if (lane === undefined) {
    throw new GatewayError('invalid_request', 'sluice-lane: expected high, normal or low')
  }
  return LANES.indexOf(lane) < LANES.indexOf(tierLane) ? lane : tierLane
}

export function readMaxWait(headers: Headers, caller: Caller, services: Services): number {
  const asked = headers.get('sluice-max-wait-ms')
  if (asked !== null && !/^\d{1,9}$/.test(asked)) {
    throw new GatewayError(
      'invalid_request',
      'sluice-max-wait-ms: expected a whole number of milliseconds',
    )
  }
  if (caller.tier.onOverload === 'reject') return 0
  return Math.min(
    asked === null ? Infinity : Number(asked),
    caller.tier.maxWaitMs ?? Infinity,
    services.config.gate.queueWaitMs,
  )
}
