// Sessions in Redis, one command a step. Long conversations are compressed by the platform before they are sent.
import type {
  ClaimedTurn,
  ListedSession,
  SessionKey,
  SessionStore,
  StoredSession,
} from '../../ports/sessions.ts'
import { countOf, listOf, textOf } from './read-reply.ts'
import { pack, unpack } from './session-text.ts'
import { SESSION_SCRIPTS, type SessionScript } from './session-scripts.ts'

/** What of a client this needs. */
export interface ScriptRunner {
  evalsha(hash: string, keys: string[], args: (string | number)[]): Promise<unknown>
  eval(text: string, keys: string[], args: (string | number)[]): Promise<unknown>
}

export interface SessionStoreOptions {
  readonly redis: ScriptRunner
  readonly now: () => number
  readonly lifeMs: number
  /** How long a turn holds its session without saying that it is alive. */
  readonly holdMs: number
}

const PREFIX = 'sluice:session'

export function upstashSessionStore(options: SessionStoreOptions): SessionStore {
  const { redis, now, lifeMs, holdMs } = options

  const run = async (
    script: SessionScript,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> => {
    const { text, hash } = SESSION_SCRIPTS[script]
    return redis.evalsha(hash, [...keys], [...args]).catch((error: unknown) => {
      if (!String(error).includes('NOSCRIPT')) throw error
      return redis.eval(text, [...keys], [...args])
    })
  }

  return {
    async claim(key, { create, token, idempotencyKey }) {
      const result = await run(
        'begin',
        [sessionKey(key)],
        [
          now(),
          token,
          holdMs,
          idempotencyKey ?? '',
          create === null ? 0 : 1,
          key.user ?? '',
          create?.user ?? '',
        ],
      )
      return readClaim(listOf(result))
    },
    async hold(key, token) {
      return Number(await run('hold', [sessionKey(key)], [now(), token, holdMs])) === 1
    },
    async release(key, token) {
      await run('release', [sessionKey(key)], [token])
    },
    async keep(key, { token, version, user, text, model, replay }) {
      const kept = await run('commit', keysOf(key, user), [
        now(),
        token,
        version,
        lifeMs,
        key.id,
        await pack(text),
        model,
        replay?.idempotencyKey ?? '',
        replay?.bodyHash ?? '',
        replay === null ? '' : await pack(replay.answer),
        user === '' ? 0 : 1,
      ])
      return Number(kept) === 1
    },
    async read(key) {
      const fields = listOf(await run('read', [sessionKey(key)], [key.user ?? '']))
      return fields.length === 0 ? null : readSession(fields)
    },
    async remove(key) {
      const session = await this.read(key)
      if (session === null) return false
      return Number(await run('remove', keysOf(key, session.user), [key.id])) === 1
    },
    async extend(key, extendedMs) {
      const session = await this.read(key)
      if (session === null) return null
      const endsAt = await run('extend', keysOf(key, session.user), [
        now(),
        extendedMs,
        key.id,
        session.user === '' ? 0 : 1,
      ])
      return Number(endsAt) === 0 ? null : countOf(endsAt)
    },
    async create(key, { text, version, user, model }) {
      const made = await run('create', keysOf(key, user), [
        now(),
        lifeMs,
        key.id,
        version,
        user,
        await pack(text),
        model,
      ])
      if (Number(made) !== 1) throw new Error('a session of that id is there already')
    },
    async list({ tenant, user }, { limit, from }) {
      const [endsAt = '-inf', id = ''] = from === null ? [] : from.split('.')
      const rows = listOf(
        await run(
          'list',
          [listKey(tenant, user ?? '')],
          [now(), `${PREFIX}:${tenant}:`, limit + 1, endsAt, id],
        ),
      ).map(listOf)
      const page = rows.slice(0, limit)
      const last = rows.length > limit ? page.at(-1) : undefined
      return {
        sessions: page.map(readListed),
        next: last === undefined ? null : `${String(last[1])}.${String(last[0])}`,
      }
    },
  }
}

const sessionKey = ({ tenant, id }: SessionKey): string => `${PREFIX}:${tenant}:${id}`

/** Tenants' ids hold no colon; an end user's name may hold anything, so it comes last. */
const listKey = (tenant: string, user: string): string =>
  user === '' ? `${PREFIX}s:${tenant}` : `${PREFIX}s:${tenant}:${user}`

const keysOf = (key: SessionKey, user: string): readonly string[] => [
  sessionKey(key),
  listKey(key.tenant, ''),
  listKey(key.tenant, user),
]

async function readClaim(result: readonly unknown[]): Promise<ClaimedTurn> {
  const [kind] = result
  switch (kind) {
    case 'begun': {
      const text = textOf(result[2])
      return {
        kind,
        version: countOf(result[1]),
        text: text === '' ? null : await unpack(text),
      }
    }
    case 'replay':
      return {
        kind,
        bodyHash: textOf(result[1]),
        answer: await unpack(textOf(result[2])),
        turns: countOf(result[3]),
      }
    case 'missing':
    case 'busy':
    case 'in_flight':
      return { kind }
    default:
      throw new Error('Redis answered what is no claim')
  }
}

async function readSession(fields: readonly unknown[]): Promise<StoredSession> {
  const [version, user, text, , createdAt, expiresAt] = fields
  return {
    version: countOf(version),
    user: textOf(user),
    text: await unpack(textOf(text)),
    createdAt: countOf(createdAt),
    expiresAt: countOf(expiresAt),
  }
}

const readListed = ([
  id,
  ,
  turns,
  model,
  createdAt,
  expiresAt,
]: readonly unknown[]): ListedSession => ({
  id: textOf(id),
  turns: countOf(turns),
  model: textOf(model),
  createdAt: countOf(createdAt),
  expiresAt: countOf(expiresAt),
})
