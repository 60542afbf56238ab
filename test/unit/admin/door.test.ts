// Who gets in, and what nobody gets in with.
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { makeApiKey } from '../../../src/core/keys/api-key.ts'
import { ADMIN_TOKEN, type AdminHouse, openAdminHouse } from '../../support/admin-house.ts'

let house: AdminHouse

beforeEach(async () => {
  house = openAdminHouse()
  // A process that starts looks once for jobs of the last one.
  await new Promise((resolve) => setTimeout(resolve, 0))
})
afterEach(() => house.close())

const ROUTES = ['GET /tiers', 'GET /tiers/free', 'PUT /tiers/free', 'GET /events']

describe('the door of the admin plane', () => {
  it('opens for the admin token, in any case of its scheme', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER ']) {
      const answer = await house.ask('GET /tiers', {
        token: null,
        headers: { authorization: `${scheme} ${ADMIN_TOKEN}` },
      })
      expect(answer.status).toBe(200)
    }
  })

  it.each<[string, Record<string, string>, string]>([
    ['nothing', {}, 'key_missing'],
    ['the token as x-api-key', { 'x-api-key': ADMIN_TOKEN }, 'key_missing'],
    ['the token as Basic', { authorization: `Basic ${ADMIN_TOKEN}` }, 'key_missing'],
    ['the bare token', { authorization: ADMIN_TOKEN }, 'key_missing'],
    ['a shorter token', { authorization: `Bearer ${ADMIN_TOKEN.slice(0, -1)}` }, 'key_unknown'],
    ['a longer token', { authorization: `Bearer ${ADMIN_TOKEN}x` }, 'key_unknown'],
    ['two tokens', { authorization: `Bearer ${ADMIN_TOKEN}, ${ADMIN_TOKEN}` }, 'key_missing'],
    [
      "a tenant's key",
      { authorization: `Bearer ${makeApiKey(randomBytes(64)).text}` },
      'key_unknown',
    ],
    ['a browser token', { authorization: 'Bearer slt_a.b.c' }, 'key_unknown'],
  ])('stays shut for %s, without asking the database', async (_, headers, reason) => {
    const prepare = vi.spyOn(house.db, 'prepare')
    for (const route of [...ROUTES, 'DELETE /anything']) {
      const answer = await house.ask(route, { token: null, headers })
      expect(answer.status, route).toBe(401)
      expect(answer.headers.get('sluice-reason')).toBe(reason)
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(answer.body).toEqual({
        type: 'error',
        error: { type: 'authentication_error', message: expect.stringContaining('authorization') },
        request_id: answer.headers.get('request-id'),
      })
      expect(JSON.stringify(answer.body)).not.toContain(ADMIN_TOKEN.slice(0, 12))
    }
    expect(prepare).not.toHaveBeenCalled()
  })

  it.each([
    '/Tiers',
    '/tiers/',
    '//tiers',
    '/tiers//free',
    '/%74iers',
    '/tiers/%66ree',
    '/tiers/..%2ftiers',
    '/tiers/free/',
    '/tiers/free/more',
    '/tiers;x=1',
    '',
    '/',
  ])('leads nowhere by the path %j, even with the token', async (path) => {
    const answer = await house.ask(`GET ${path}`)
    expect(answer.status).toBe(404)
    expect(answer.headers.get('sluice-reason')).toBe('route_unknown')
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })

  it.each([
    '/ADMIN/v1/tiers',
    '/admin/V1/tiers',
    '//admin/v1/tiers',
    '/admin//v1/tiers',
    '/admin/v2/tiers',
  ])('is not at %s', async (path) => {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
    const answer = await house.send(new Request(`http://sluice.test${path}`, { headers }))
    expect(answer.status).toBe(404)
  })

  it('says that the database is down, in the answer and in the log, and no more', async () => {
    const all = vi.spyOn(house.db, 'prepare').mockImplementation(() => {
      throw new Error('database is locked')
    })
    const answer = await house.ask('GET /tiers')
    all.mockRestore()
    expect([answer.status, answer.headers.get('sluice-reason')]).toEqual([503, 'store_unavailable'])
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(JSON.stringify(answer.body)).not.toContain('locked')
    expect(house.log).toContainEqual({
      event: 'admin_store_failed',
      request_id: answer.headers.get('request-id'),
      error: 'Error: database is locked',
    })
  })

  it('takes the method as it is, whatever a header says', async () => {
    const body = { requests_per_minute: 1 }
    for (const name of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
      const answer = await house.ask('POST /tiers/free', { body, headers: { [name]: 'PUT' } })
      expect(answer.status).toBe(404)
    }
    expect((await house.ask('POST /tiers/free?_method=PUT', { body })).status).toBe(404)
    expect((await house.ask('GET /tiers/free')).body['requests_per_minute']).toBe(10)
  })
})
