// An operator's hand on the response cache: what it did, what has to go from it, and what shall be in it before anyone asks.
import {
  type AskedInvalidation,
  checkInvalidation,
  DEFAULT_VERSION,
  showCacheStats,
  warmBody,
} from '../../core/admin/cache-body.ts'
import { markOf } from '../../core/caching/generations.ts'
import { elementsOf, fieldOf, fieldsIn, printFields } from '../../core/conversation/json-parts.ts'
import { errorBody, GatewayError } from '../../core/errors.ts'
import type { Caller, Services } from '../../ports.ts'
import type { AnswerCache } from '../caching/answer-cache.ts'
import { type Call, newQueueState, newTiming, type RequestScope } from '../call.ts'
import { describeCall } from '../read-call.ts'
import type { AdminRequest } from './open-admin.ts'
import { parseFields } from './read-fields.ts'

const MOST_WARMED = 100
/** The low lane is shared with others. */
const WARMED_AT_ONCE = 4

const unavailable = (cause: unknown): never => {
  throw new GatewayError('store_unavailable', 'The store of the cache cannot be reached', { cause })
}

export async function invalidateCache(
  { answers, now }: Services,
  { session, write }: AdminRequest,
  asked: AskedInvalidation,
): Promise<{ readonly generation: number }> {
  const problem = checkInvalidation(asked)
  if (problem !== null) throw new GatewayError('invalid_request', problem)
  const { older_than_seconds: seconds, all: _, ...rule } = asked
  const before = seconds === undefined ? null : now() - seconds * 1000
  const generation = await answers.invalidate(markOf(rule), before).catch(unavailable)
  // Written afterwards: what is gone from the cache is gone, whether or not that can be noted.
  await session.addEvent(
    {
      action: 'cache.invalidate',
      target: String(generation),
      tenant: rule.tenant ?? null,
      before: null,
      after: asked,
    },
    write(null),
  )
  return { generation }
}

export async function readCacheStats({ answers }: Services, cache: AnswerCache) {
  return showCacheStats(await answers.readCounts().catch(unavailable), cache.near.held)
}

export interface Warming {
  readonly scope: RequestScope
  /** The body of the request, which is JSON. */
  readonly text: string
}

/** Each request is made as its tenant would make it, in the low lane; the list says what became of each. */
export async function warmCache(
  services: Services,
  cache: AnswerCache,
  { scope, text, session }: Warming & Pick<AdminRequest, 'session'>,
) {
  const fields = text.trimStart().startsWith('{') ? fieldsIn(text) : []
  const list = fieldOf(fields, 'requests') ?? ''
  const requests = list.startsWith('[') ? elementsOf(list) : []
  if (requests.length === 0 || requests.length > MOST_WARMED) {
    throw new GatewayError(
      'invalid_request',
      `requests: expected a list of 1 to ${MOST_WARMED} Messages requests`,
    )
  }
  const rest = printFields(fields.filter(({ name }) => name !== 'requests'))
  const asked = parseFields(warmBody, rest)
  const caller = await callerOf(services, session, asked)
  const headers = new Headers({
    'anthropic-version': asked.anthropic_version ?? DEFAULT_VERSION,
    'sluice-cache-ttl': asked.ttl ?? String(services.config.cache.ttlSeconds),
    'sluice-lane': 'low',
  })
  const named = {
    'anthropic-beta': asked.anthropic_beta,
    'sluice-cache-tags': asked.tags,
    'sluice-cache-scope': asked.scope,
    'sluice-user': asked.user,
  }
  for (const [name, value] of Object.entries(named)) {
    if (value !== undefined) headers.set(name, value)
  }
  const results: Warmed[] = []
  const left = [...requests.entries()]
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [index, body] = next
      results[index] = await warm(services, cache, { scope, caller, headers, body })
    }
  }
  await Promise.all(Array.from({ length: WARMED_AT_ONCE }, work))
  return { data: results, has_more: false, next_page: null }
}

interface Warmed {
  readonly status: number
  readonly cache_status: string | null
  readonly error?: unknown
}

interface WarmRequest {
  readonly scope: RequestScope
  readonly caller: Caller
  readonly headers: Headers
  readonly body: string
}

async function warm(
  services: Services,
  cache: AnswerCache,
  { scope: outer, caller, headers, body }: WarmRequest,
): Promise<Warmed> {
  const scope = scopeOf(services, outer)
  try {
    const request = new Request('https://sluice.invalid/v1/messages', { method: 'POST', headers })
    const bytes = new TextEncoder().encode(body)
    const call = describeCall(services, { kind: 'messages', request, scope, caller, body: bytes })
    const answer = await cache.answer(call, headers, notCached)
    const text = await answer.text()
    const status = { status: answer.status, cache_status: answer.headers.get('cache-status') }
    return answer.ok ? status : { ...status, error: parsed(text) }
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    const { error: told } = errorBody(error, scope.requestId)
    return { status: error.status, cache_status: null, error: told }
  }
}

const notCached = async (call: Call): Promise<Response> => {
  const why = call.usesThread ? 'thread: an answer of a thread is not cached' : 'It is not cached'
  throw new GatewayError('invalid_request', why)
}

function parsed(text: string): unknown {
  try {
    return (JSON.parse(text) as { error?: unknown }).error ?? null
  } catch {
    return null
  }
}

const scopeOf = ({ now }: Services, outer: RequestScope): RequestScope => ({
  ...outer,
  requestId: `req_${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}`,
  startedAt: now(),
  timing: newTiming(),
  queue: newQueueState(),
})

/** The tenant as its first key that works makes it, or as the key that is named. */
async function callerOf(
  { keys, now }: Services,
  session: AdminRequest['session'],
  { tenant, key }: { readonly tenant: string; readonly key?: string },
): Promise<Caller> {
  const page = { limit: 100, after: null }
  const ids =
    key === undefined ? (await session.listKeys(tenant, page)).data.map(({ id }) => id) : [key]
  for (const id of ids) {
    const found = await keys.findKey(id).catch(unavailable)
    if (found === null || found.tenant !== tenant || found.disabled || found.tenantDisabled)
      continue
    if (found.expiresAt === null || found.expiresAt > now()) return found
  }
  throw new GatewayError('not_found', 'tenant: there is none with a key that works')
}
