// Sessions as their owners see them: listed, read, lengthened, forked, deleted.
import {
  countTurns,
  cutAfter,
  messagesOf,
  parseConversation,
  printConversation,
} from '../core/conversation/conversation.ts'
import { printFields } from '../core/conversation/json-parts.ts'
import { GatewayError } from '../core/errors.ts'
import type { Caller, Services } from '../ports.ts'
import type { SessionKey, StoredSession } from '../ports/sessions.ts'
import { isSessionId, newSessionId, ownerOf, storeFailed } from './session-access.ts'

const MAX_PAGE = 100
const USUAL_PAGE = 20
const MAX_TTL_SECONDS = 31_536_000

export async function listSessions(
  { sessions }: Services,
  caller: Caller,
  query: Readonly<Record<string, string>>,
) {
  const limit = query['limit'] ?? String(USUAL_PAGE)
  if (!/^\d{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > MAX_PAGE) {
    throw new GatewayError('invalid_request', `limit: expected a number from 1 to ${MAX_PAGE}`)
  }
  const from = query['page'] ?? null
  if (from !== null && !/^\d{1,16}\.ses_[\da-f]{32}$/.test(from)) {
    throw new GatewayError('invalid_request', 'page: expected the next_page of the list before')
  }
  const page = await sessions
    .list(ownerOf(caller), { limit: Number(limit), from })
    .catch(throwStoreFailed)
  return {
    data: page.sessions.map(({ id, turns, model, createdAt, expiresAt }) => ({
      id,
      turns,
      model,
      created_at: timeOf(createdAt),
      expires_at: timeOf(expiresAt),
    })),
    has_more: page.next !== null,
    next_page: page.next,
  }
}

/** JSON text: its messages are as they were written. */
export async function showSession(services: Services, caller: Caller, id: string): Promise<string> {
  const session = await findSession(services, keyOf(caller, id))
  const conversation = parseConversation(session.text)
  const { usage, system, model } = conversation
  return printFields([
    { name: 'id', value: JSON.stringify(id) },
    { name: 'turns', value: String(countTurns(conversation)) },
    { name: 'messages', value: `[${messagesOf(conversation).join(',')}]` },
    ...(system === null ? [] : [{ name: 'system', value: system }]),
    { name: 'model', value: JSON.stringify(model) },
    { name: 'created_at', value: JSON.stringify(timeOf(session.createdAt)) },
    { name: 'expires_at', value: JSON.stringify(timeOf(session.expiresAt)) },
    {
      name: 'usage',
      value: JSON.stringify({
        input_tokens: usage.inputTokens,
        output_tokens: usage.outputTokens,
        cache_creation_input_tokens: usage.cacheWriteTokens,
        cache_read_input_tokens: usage.cacheReadTokens,
      }),
    },
  ])
}

export async function deleteSession({ sessions }: Services, caller: Caller, id: string) {
  const removed = await sessions.remove(keyOf(caller, id)).catch(throwStoreFailed)
  if (!removed) throw unknownSession(id)
  return { id, deleted: true }
}

export async function extendSession(
  { sessions }: Services,
  caller: Caller,
  { id, body }: { readonly id: string; readonly body: Fields },
) {
  const ttl = body['ttl_seconds']
  if (!isWhole(ttl) || ttl < 1 || ttl > MAX_TTL_SECONDS) {
    const expected = `expected a whole number of seconds from 1 to ${MAX_TTL_SECONDS}`
    throw new GatewayError('invalid_request', `ttl_seconds: ${expected}`)
  }
  const expiresAt = await sessions.extend(keyOf(caller, id), ttl * 1000).catch(throwStoreFailed)
  if (expiresAt === null) throw unknownSession(id)
  return { id, expires_at: timeOf(expiresAt) }
}

/** A session of its own, with what was said up to a turn: neither sees what the other says from now on. */
export async function forkSession(
  services: Services,
  caller: Caller,
  { id, body }: { readonly id: string; readonly body: Fields },
) {
  const key = keyOf(caller, id)
  const session = await findSession(services, key)
  const whole = parseConversation(session.text)
  const atTurn = body['at_turn'] ?? countTurns(whole)
  const cut = isWhole(atTurn) ? cutAfter(whole, atTurn) : null
  if (cut === null) {
    const expected = `expected a turn from ${whole.dropped + 1} to ${countTurns(whole)}`
    throw new GatewayError('invalid_request', `at_turn: ${expected}`)
  }
  const forked = { ...key, id: await newSessionId(services, caller, null) }
  await services.sessions
    .create(forked, {
      text: printConversation(cut),
      version: countTurns(cut),
      user: session.user,
      model: cut.model,
    })
    .catch(throwStoreFailed)
  return { id: forked.id, turns: countTurns(cut), model: cut.model, forked_from: id }
}

export type Fields = Readonly<Record<string, unknown>>

async function findSession({ sessions }: Services, key: SessionKey): Promise<StoredSession> {
  const session = await sessions.read(key).catch(throwStoreFailed)
  if (session === null) throw unknownSession(key.id)
  return session
}

function keyOf(caller: Caller, id: string): SessionKey {
  if (!isSessionId(id)) throw unknownSession(id)
  return { ...ownerOf(caller), id }
}

const unknownSession = (id: string): GatewayError =>
  new GatewayError('not_found', `There is no session ${id.slice(0, 64)}`)

const throwStoreFailed = (cause: unknown): never => {
  throw storeFailed(cause)
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value)

const timeOf = (at: number): string => new Date(at).toISOString()
