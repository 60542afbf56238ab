// The store's own count of what a request costs it, in the whole gateway.
import { beforeAll, expect, it } from 'vitest'
import { claudeCall } from '../../support/claude-call.ts'
import { sharedGateway } from '../../support/gateway.ts'
import { send } from '../../support/raw-http.ts'

const gateway = sharedGateway()

beforeAll(async () => {
  // Reads the key, loads the script.
  for (const stream of [false, true]) await ask({ stream })
})

const ask = (fields = {}, options = {}) =>
  send(gateway.url, claudeCall({ key: gateway.keys.enterprise, fields, ...options }))

const trips = async (work: () => Promise<unknown>): Promise<number> => {
  const before = await countRequests()
  await work()
  return (await countRequests()) - before
}

/** HTTP requests that the store has had; asking for them is none. */
async function countRequests(): Promise<number> {
  const headers = { authorization: `Bearer ${gateway.redisToken}` }
  const response = await fetch(`${gateway.redisUrl}/__test/stats`, { headers })
  return ((await response.json()) as { http_requests: number }).http_requests
}

it.each([
  ['a plain call', false],
  ['a stream', true],
])('%s costs the store one round trip', async (_, stream) => {
  const calls = 20
  const made = await trips(async () => {
    for (let i = 0; i < calls; i += 1) expect((await ask({ stream })).status).toBe(200)
  })
  expect(made).toBe(calls)
})

it('a call that is tried again costs it no more', async () => {
  const rule = { match: { tag: 'retried' }, fault: '529', count: 1 }
  await fetch(`${gateway.simulatorUrl}/__sim/rules`, { method: 'POST', body: JSON.stringify(rule) })
  const made = await trips(async () => {
    const answer = await ask({}, { tag: 'retried' })
    expect(answer.headers['sluice-attempts']).toBe('2')
  })
  expect(made).toBe(1)
})

it('a malformed call, a wrong key and an unknown route cost it nothing', async () => {
  const made = await trips(async () => {
    expect((await ask({ model: 7 })).status).toBe(400)
    expect((await ask({}, { key: 'slk_wrong' })).status).toBe(401)
    expect((await send(gateway.url, { path: '/nowhere' })).status).toBe(404)
    expect((await send(gateway.url, { path: '/health' })).status).toBe(200)
  })
  expect(made).toBe(0)
})
