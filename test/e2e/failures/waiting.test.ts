// An account that is full: calls wait in a bounded queue, are let in as slots free, and are refused for the right reason.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accountList } from '../../support/accounts.ts'
import { type ClaudeError, claudeCall, errorOf, eventsOf } from '../../support/claude-call.ts'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { newTag } from '../../support/gateway-simulator.ts'
import { open, readAll, type RawAnswer, readUntil, send } from '../../support/raw-http.ts'

const QUEUE_WAIT_MS = 600
const PING_MS = 150
const QUEUE_LENGTH = 4
const QUEUE_PER_TENANT = 3

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startTestGateway({
    settings: {
      ANTHROPIC_ACCOUNTS: accountList({ id: 'alpha', max_concurrent: 1 }),
      SLUICE_QUEUE_WAIT_MS: QUEUE_WAIT_MS,
      SLUICE_QUEUE_LENGTH: QUEUE_LENGTH,
      SLUICE_QUEUE_PER_TENANT: QUEUE_PER_TENANT,
      SLUICE_PING_MS: PING_MS,
      SLUICE_BODY_MAX_BYTES: 100_000,
    },
  })
})

afterAll(() => gateway.stop())

type Options = Partial<Parameters<typeof claudeCall>[0]>

const ask = (options: Options = {}): Promise<RawAnswer> =>
  send(gateway.url, claudeCall({ key: gateway.keys.enterprise, ...options }))

/** Takes the only slot; released by reading to the end of what the simulator ends after `ms`. */
async function hold(ms: number): Promise<() => Promise<unknown>> {
  const { response } = await open(
    gateway.url,
    claudeCall({
      key: gateway.keys.enterprise,
      fields: { stream: true },
      fault: `stall;after=2;ms=${ms}`,
    }),
  )
  return () => readAll(response)
}

const maxWait = (ms: number): Options => ({ headers: [['sluice-max-wait-ms', String(ms)]] })

describe('while every slot is taken', () => {
  it('a call waits, is let in when a slot frees, and says how long it waited', async () => {
    const release = await hold(250)
    const [answer] = await Promise.all([ask(), release()])
    expect(answer.status).toBe(200)
    expect(Number(answer.headers['sluice-queued-ms'])).toBeGreaterThan(100)
    expect(Number(answer.headers['sluice-queued-ms'])).toBeLessThan(QUEUE_WAIT_MS)
    expect(answer.headers['server-timing']).toMatch(/queue;dur=\d{3}/)
  })

  it('a call that may not wait is refused at once', async () => {
    const release = await hold(200)
    const answer = await ask(maxWait(0))
    expect(answer.status).toBe(503)
    expect(answer.headers['sluice-reason']).toBe('queue_full')
    expect(answer.headers['x-should-retry']).toBe('true')
    expect(answer.tookMs).toBeLessThan(150)
    await release()
  })

  it('a call that waited as long as it may is refused as such', async () => {
    const release = await hold(QUEUE_WAIT_MS + 300)
    const [short, long] = await Promise.all([ask(maxWait(150)), ask()])
    for (const answer of [short, long]) {
      expect(answer.status).toBe(503)
      expect(answer.headers['sluice-reason']).toBe('queue_timeout')
      expect(errorOf(answer).error.type).toBe('overloaded_error')
      expect(answer.headers['x-should-retry']).toBe('true')
    }
    expect(short.tookMs).toBeGreaterThanOrEqual(140)
    expect(short.tookMs).toBeLessThan(400)
    expect(long.tookMs).toBeGreaterThanOrEqual(QUEUE_WAIT_MS - 10)
    expect(long.tookMs).toBeLessThan(QUEUE_WAIT_MS + 250)
    await release()
  })

  it('a tenant has its share of the places, and all tenants have all of them', async () => {
    const release = await hold(400)
    const own = Array.from({ length: QUEUE_PER_TENANT + 1 }, () => ask())
    const refusedOwn = await Promise.any(own.map(refusedOnly))
    expect(refusedOwn.headers['sluice-reason']).toBe('queue_full')
    // Another tenant finds the last place, and then none.
    const others = [1, 2].map(() => ask({ key: gateway.keys.premium }))
    const refusedOther = await Promise.any(others.map(refusedOnly))
    expect(refusedOther.headers['sluice-reason']).toBe('queue_full')
    await release()
    const statuses = (await Promise.all([...own, ...others])).map(({ status }) => status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(QUEUE_LENGTH)
    expect(statuses.filter((status) => status === 503)).toHaveLength(2)
  })

  const refusedOnly = async (asking: Promise<RawAnswer>): Promise<RawAnswer> => {
    const answer = await asking
    if (answer.status === 200) throw new Error('admitted')
    return answer
  }

  it('a tier that rejects on overload does not wait', async () => {
    const release = await hold(200)
    const answer = await ask({ key: gateway.keys.free })
    expect(answer.status).toBe(503)
    expect(answer.headers['sluice-reason']).toBe('queue_full')
    expect(answer.tookMs).toBeLessThan(150)
    await release()
  })

  it('those who wait are let in one by one, and never two at once', async () => {
    gateway.simulator.sim.gauge.resetMax()
    const answers = await Promise.all(Array.from({ length: 3 }, () => ask({ fault: 'slow=60' })))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(gateway.simulator.sim.gauge.view()).toMatchObject({
      orgs: { alpha: { max_in_flight: 1 } },
    })
  })
})

describe('a stream that waits', () => {
  const stream = { fields: { stream: true } }

  it('shows life, and then is answered as if it had not waited', async () => {
    const release = await hold(QUEUE_WAIT_MS - 200)
    const [answer] = await Promise.all([ask(stream), release()])
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toContain('text/event-stream')
    expect(answer.headers['request-id']).toMatch(/^req_/)
    const text = answer.body.toString()
    expect(text).toMatch(
      /^: waiting in lane high, place 1 there, 1 waiting in all, \d+ ms so far\n\n/,
    )
    expect(eventsOf(answer.body).at(-1)?.event).toBe('message_stop')
  })

  it('is told by an event that it waited in vain', async () => {
    const release = await hold(QUEUE_WAIT_MS + 300)
    const answer = await ask(stream)
    expect(answer.status).toBe(200)
    const last = eventsOf(answer.body).at(-1)
    expect(last?.event).toBe('error')
    const { error, request_id: id } = JSON.parse(last?.data ?? '') as ClaudeError
    expect(error.type).toBe('overloaded_error')
    expect(error.message).toMatch(/try again in \d+ s$/)
    expect(error.details).toMatchObject({ reason: 'queue_timeout' })
    expect(id).toBe(answer.headers['request-id'])
    await release()
  })

  it('leaves the queue by a FIN, noticed at the next comment', async () => {
    const release = await hold(QUEUE_WAIT_MS - 100)
    const tag = newTag()
    const call = claudeCall({ key: gateway.keys.enterprise, tag, ...stream })
    const { response, socket } = await open(gateway.url, { ...call, ownConnection: true })
    await readUntil(response, 'waiting in lane')
    socket.destroy()
    await release()
    const next = await ask()
    expect(next.status).toBe(200)
    expect(gateway.simulator.journal.list({ tag })).toEqual([])
  })
})

describe('routes', () => {
  it('that do not exist are told so in Claude’s shape', async () => {
    for (const [method, path] of [
      ['GET', '/'],
      ['GET', '/v1/messages'],
      ['POST', '/v1/complete'],
      ['DELETE', '/v1/models'],
      ['POST', '/v2/messages'],
      ['GET', '/v1/messages/'],
    ] as const) {
      const answer = await send(gateway.url, { method, path })
      expect(answer.status, `${method} ${path}`).toBe(404)
      expect(answer.headers['sluice-reason']).toBe('route_unknown')
      expect(errorOf(answer).error.type).toBe('not_found_error')
      expect(errorOf(answer).request_id).toBe(answer.headers['request-id'])
    }
  })

  it('answer HEAD where a client asks whether the API is there', async () => {
    for (const path of ['/api/hello', '/health']) {
      const answer = await send(gateway.url, { method: 'HEAD', path })
      expect(answer.status).toBe(200)
      expect(answer.body).toHaveLength(0)
    }
  })

  it('answer a preflight for an origin that some tenant allows, never with a star', async () => {
    const headers = [
      ['origin', 'https://app.example'],
      ['access-control-request-method', 'POST'],
      ['access-control-request-headers', 'authorization,x-api-key,anthropic-beta,x-stainless-os'],
    ] as const
    for (const path of ['/v1/messages', '/v1/messages/count_tokens', '/v1/models', '/v1/usage']) {
      const answer = await send(gateway.url, { method: 'OPTIONS', path, headers })
      expect(answer.status, path).toBeLessThan(300)
      expect(answer.headers['access-control-allow-origin']).toBe('https://app.example')
      const allowed = String(answer.headers['access-control-allow-headers'])
      for (const name of ['authorization', 'x-api-key', 'anthropic-beta', 'x-stainless-os']) {
        expect(allowed.split(/, */)).toContain(name)
      }
      expect(JSON.stringify(answer.headers)).not.toContain('"*"')
    }
  })

  it('are ready while Redis, D1 and an account are', async () => {
    const answer = await send(gateway.url, { path: '/ready' })
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.body.toString())).toMatchObject({ ready: true })
  })
})

describe('a body above the limit', () => {
  const large = JSON.stringify({ model: 'claude-sonnet-5-5', system: 'x'.repeat(100_000) })

  it.each([
    ['declared', undefined],
    ['chunked', 8_192],
  ])('is refused when it comes %s, and reaches no account', async (name, chunkBytes) => {
    const tag = newTag()
    const answer = await send(gateway.url, {
      ...claudeCall({ key: gateway.keys.enterprise, tag, body: large }),
      ...(chunkBytes === undefined ? {} : { chunkBytes }),
    })
    expect(answer.status, name).toBe(413)
    expect(answer.headers['sluice-reason']).toBe('body_too_large')
    expect(errorOf(answer).error.type).toBe('request_too_large')
    expect(answer.headers['x-should-retry']).toBe('false')
    expect(gateway.simulator.journal.list({ tag })).toEqual([])
  })

  it('is let through when it is exactly as large as allowed', async () => {
    const frame = JSON.stringify({
      model: 'claude-sonnet-5-5',
      max_tokens: 9,
      messages: [{ role: 'user', content: '' }],
    })
    const body = frame.replace('""', `"${'x'.repeat(100_000 - frame.length)}"`)
    for (const chunkBytes of [undefined, 8_192]) {
      const answer = await send(gateway.url, {
        ...claudeCall({ key: gateway.keys.enterprise, body }),
        ...(chunkBytes === undefined ? {} : { chunkBytes }),
      })
      expect(answer.status).toBe(200)
    }
    const above = await ask({ body: `${body} ` })
    expect(above.status).toBe(413)
  })
})

it('the gateway is as free after all of this as before', async () => {
  const answer = await eventually(
    () => ask(maxWait(0)),
    ({ status }) => status === 200,
    {
      withinMs: 1_000,
    },
  )
  expect(answer.status).toBe(200)
})
