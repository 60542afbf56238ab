// A key makes a token for pages of one origin.
import { Hono } from 'hono'
import type { AppEnv } from '../app.ts'
import { readTokenRequest } from '../core/keys/token-request.ts'
import { GatewayError } from '../core/errors.ts'
import { issueToken, type TokenOffice } from '../flows/issue-token.ts'
import type { Identifier } from '../flows/identify.ts'
import { readJson } from '../flows/read-json.ts'

const MAX_BODY_BYTES = 16 * 1024

export const tokens = (office: TokenOffice, identify: Identifier) =>
  new Hono<AppEnv>().post('/tokens', async (c) => {
    const caller = await identify(c.req.raw, c.get('scope'))
    const read = readTokenRequest(await readJson(c.req.raw, MAX_BODY_BYTES))
    if (read.kind === 'invalid') throw new GatewayError('invalid_request', read.message)
    return c.json(await issueToken(office, caller, read.request), 200, {
      'cache-control': 'no-store',
    })
  })
