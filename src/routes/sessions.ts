// Conversations that are kept here: a turn of one, and what their owner may do with them.
import { type Context, Hono } from 'hono'
import type { AppEnv } from '../app.ts'
import { GatewayError } from '../core/errors.ts'
import { checkJsonHeaders, readBody } from '../flows/read-body.ts'
import type { Identifier } from '../flows/identify.ts'
import {
  deleteSession,
  extendSession,
  type Fields,
  forkSession,
  listSessions,
  showSession,
} from '../flows/show-sessions.ts'
import type { TurnTaker } from '../flows/take-turn.ts'
import type { Services } from '../ports.ts'

const MAX_BODY_BYTES = 4096

export const sessions = (services: Services, identify: Identifier, takeTurn: TurnTaker) => {
  const callerOf = (c: Context<AppEnv>) => identify(c.req.raw, c.get('scope'))
  return new Hono<AppEnv>()
    .post('/chat', (c) => takeTurn('chat', c.req.raw, c.get('scope')))
    .get('/sessions', async (c) =>
      c.json(await listSessions(services, await callerOf(c), c.req.query())),
    )
    .get('/sessions/:id', async (c) => {
      const text = await showSession(services, await callerOf(c), c.req.param('id'))
      return c.body(text, 200, { 'content-type': 'application/json' })
    })
    .delete('/sessions/:id', async (c) =>
      c.json(await deleteSession(services, await callerOf(c), c.req.param('id'))),
    )
    .post('/sessions/:id/extend', async (c) => {
      const caller = await callerOf(c)
      const body = await readFields(c.req.raw, ['ttl_seconds'])
      return c.json(await extendSession(services, caller, { id: c.req.param('id'), body }))
    })
    .post('/sessions/:id/fork', async (c) => {
      const caller = await callerOf(c)
      const body = await readFields(c.req.raw, ['at_turn'])
      return c.json(await forkSession(services, caller, { id: c.req.param('id'), body }), 201)
    })
}

/** A small JSON object with no other fields than these; nothing at all is an empty one. */
async function readFields(request: Request, known: readonly string[]): Promise<Fields> {
  checkJsonHeaders(request.headers)
  const bytes = await readBody(request, MAX_BODY_BYTES)
  if (bytes.byteLength === 0) return {}
  const value = parse(new TextDecoder().decode(bytes))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new GatewayError('invalid_request', 'The request body should be a JSON object')
  }
  const unknown = Object.keys(value).find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new GatewayError('invalid_request', `${unknown}: Extra inputs are not permitted`)
  }
  return value as Fields
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new GatewayError('invalid_json', 'The request body is not valid JSON', { cause })
  }
}
