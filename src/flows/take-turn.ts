// One turn of a session: the history is read and the session claimed in the round trip that asks the request limits,
// the call is made with the history before it, and the whole turn is kept before the caller sees the answer's end.
import { withApiVersion } from '../core/answering/header-policy.ts'
import { scanObject } from '../core/answering/json-scan.ts'
import {
  CHAT_DEFAULTS,
  printTurnRequest,
  readChatBody,
  readMessagesBody,
  type Said,
} from '../core/conversation/turn-request.ts'
import { GatewayError, threadUnsupported } from '../core/errors.ts'
import type { Caller, LimitDecision, Services } from '../ports.ts'
import type { ClaimedTurn, SessionKey } from '../ports/sessions.ts'
import { answerCall } from './answer-call.ts'
import type { Call, RequestScope } from './call.ts'
import { limitError } from './refuse-limit.ts'
import { keepTurn } from './keep-turn.ts'
import { openTurn, type OpenTurn } from './open-turn.ts'
import { toHex } from './hash-key.ts'
import type { Identifier } from './identify.ts'
import { describeCall, readJsonBody, userOf } from './read-call.ts'
import { replayTurn } from './replay-turn.ts'
import { isSessionId, newSessionId, ownerOf, storeFailed } from './session-access.ts'

const MAX_KEY_CHARS = 255

export type TurnTaker = (
  kind: 'chat' | 'messages',
  request: Request,
  scope: RequestScope,
) => Promise<Response>

export const createTurnTaker =
  (services: Services, identify: Identifier): TurnTaker =>
  async (kind, request, scope) => {
    const caller = await identify(request, scope)
    const body = await readJsonBody(services, request)
    const asked = await readTurn(services, { kind, request, scope, caller, body })
    const { limits, claimed } = await claimTurn(services, asked)
    if (claimed.kind === 'replay') return replayTurn(services, asked, claimed)
    const turn = openTurn(services, asked, claimed)
    try {
      const call = turnCall(services, asked, { turn, limits })
      return await keepTurn(await answerCall(services, call), { turn, requestId: scope.requestId })
    } catch (error) {
      await turn.letGo()
      throw error
    }
  }

/** A turn as it was asked for. */
export interface AskedTurn {
  readonly kind: 'chat' | 'messages'
  readonly request: Request
  readonly scope: RequestScope
  readonly caller: Caller
  readonly said: Said
  readonly key: SessionKey
  readonly isNew: boolean
  /** The end user whom a new session is made for. */
  readonly user: string
  readonly idempotencyKey: string | null
  readonly bodyHash: string
}

interface TurnSource {
  readonly kind: 'chat' | 'messages'
  readonly request: Request
  readonly scope: RequestScope
  readonly caller: Caller
  readonly body: Uint8Array
}

async function readTurn(services: Services, source: TurnSource): Promise<AskedTurn> {
  const { kind, request, scope, caller, body } = source
  const said = kind === 'chat' ? readChat(body) : readMessages(services, source)
  const named = request.headers.get('sluice-session') ?? said.sessionId ?? 'new'
  if (said.sessionId !== null && named !== said.sessionId) {
    throw new GatewayError('invalid_request', 'session_id: sluice-session names another session')
  }
  const idempotencyKey = request.headers.get('idempotency-key')
  if (idempotencyKey !== null && !isIdempotencyKey(idempotencyKey)) {
    throw new GatewayError(
      'invalid_request',
      `idempotency-key: expected 1 to ${MAX_KEY_CHARS} printable characters`,
    )
  }
  const isNew = named === 'new'
  if (!isNew && !isSessionId(named)) throw unknownSession()
  const owner = ownerOf(caller)
  const id = isNew ? await newSessionId(services, caller, idempotencyKey) : named
  return {
    kind,
    request,
    scope,
    caller,
    said,
    key: { ...owner, id },
    isNew,
    user: owner.user ?? userOf(request.headers, caller),
    idempotencyKey,
    bodyHash: toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', body as BufferSource))),
  }
}

const isIdempotencyKey = (key: string): boolean =>
  key.length <= MAX_KEY_CHARS && /^[\x21-\x7e]+$/.test(key)

const decoder = new TextDecoder()

function readMessages(services: Services, { request, scope, caller, body }: TurnSource): Said {
  const call = describeCall(services, { kind: 'messages', request, scope, caller, body })
  if (call.usesThread) {
    // Clients then go on without one.
    throw threadUnsupported('thread: a session keeps the history by itself')
  }
  return readMessagesBody(decoder.decode(body))
}

/** Any valid JSON object will do for the parts to be found; the request made of it is checked like every other. */
function readChat(body: Uint8Array): Said {
  const scan = scanObject(body, NO_FIELDS)
  if (scan.kind === 'broken') {
    const message = `The request body is not valid JSON: ${scan.what} (byte ${scan.at})`
    throw new GatewayError('invalid_json', message)
  }
  if (scan.kind === 'other') {
    throw new GatewayError('invalid_request', 'The request body should be a JSON object')
  }
  const read = readChatBody(decoder.decode(body))
  if (read.kind === 'wrong') throw new GatewayError('invalid_request', read.message)
  return read.said
}

const NO_FIELDS: ReadonlySet<string> = new Set()

interface Claim {
  readonly limits: LimitDecision
  readonly claimed: Extract<ClaimedTurn, { kind: 'begun' | 'replay' }>
}

/** One round trip. What the limits counted is given back where the session refuses, and the other way round. */
async function claimTurn(services: Services, asked: AskedTurn): Promise<Claim> {
  const { caller, scope, key, isNew, user, idempotencyKey } = asked
  const startedAt = services.now()
  const taking = services.limits.take(caller, scope.waits, { together: true })
  const claiming = services.sessions
    .claim(key, { token: scope.requestId, idempotencyKey, create: isNew ? { user } : null })
    .catch((cause: unknown) => storeFailed(cause))
  const [limits, claimed] = await Promise.all([taking, claiming])
  scope.timing.storeMs = services.now() - startedAt
  if (limits.kind === 'refused') {
    if (!(claimed instanceof GatewayError) && claimed.kind === 'begun') {
      scope.defer(services.sessions.release(key, scope.requestId).catch(() => {}))
    }
    throw limitError(limits, services.now())
  }
  const refusal = claimed instanceof GatewayError ? claimed : refusalOf(asked, claimed)
  if (refusal !== null) {
    scope.defer(services.limits.refund(caller))
    throw refusal
  }
  return { limits, claimed: claimed as Claim['claimed'] }
}

function refusalOf(asked: AskedTurn, claimed: ClaimedTurn): GatewayError | null {
  switch (claimed.kind) {
    case 'missing':
      return unknownSession()
    case 'busy':
      return new GatewayError('session_busy', 'Another turn of this session is under way')
    case 'in_flight':
      return new GatewayError('idempotency_in_flight', 'This turn is already under way')
    case 'replay':
      return claimed.bodyHash === asked.bodyHash
        ? null
        : new GatewayError(
            'idempotency_mismatch',
            'idempotency-key: it was used for another request',
          )
    case 'begun':
      return null
  }
}

const unknownSession = (): GatewayError =>
  new GatewayError('not_found', 'sluice-session: there is no such session')

/** Checked like the body of any other caller: what it is made of was not. */
function turnCall(
  services: Services,
  asked: AskedTurn,
  { turn, limits }: { turn: OpenTurn; limits: LimitDecision },
): Call {
  const { kind, request, scope, caller, key } = asked
  const { said, before } = turn
  const body = new TextEncoder().encode(printTurnRequest(said, before, CHAT_DEFAULTS))
  const call = orRefund(services, asked, () =>
    describeCall(services, { kind: 'messages', request, scope, caller, body }),
  )
  const query = call.target.indexOf('?')
  return {
    ...call,
    headers: kind === 'chat' ? withApiVersion(call.headers) : call.headers,
    target: `/v1/messages${query < 0 ? '' : call.target.slice(query)}`,
    affinity: key.id,
    lastAccount: before.account,
    promptCache: caller.autoPromptCache === 'off' ? null : 'shared_too',
    limits,
  }
}

/** A request that is refused for what it says uses nothing up. */
function orRefund<T>(services: Services, { scope, caller }: AskedTurn, read: () => T): T {
  try {
    return read()
  } catch (error) {
    scope.defer(services.limits.refund(caller))
    throw error
  }
}
