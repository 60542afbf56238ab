// The response cache over HTTP, in workerd: one call for all who ask the same, whoever leaves; what is kept, in both
// forms and in every layer; invalidation at once; nothing lost by a kill; Redis down.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claudeCall, eventsOf } from '../../support/claude-call.ts'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { type DevProcess, startDev } from '../../support/gateway-process.ts'
import { leave, open, type RawAnswer, readAll, readUntil, send } from '../../support/raw-http.ts'
import { addTenant } from '../../support/tenants.ts'

let gateway: TestGateway
/** Another isolate: a second process on the same Redis, with the same tenants. */
let other: DevProcess
let otherKey: string

const SETTINGS = { SLUICE_RETRY_ATTEMPTS: '1', SLUICE_REDIS_TIMEOUT_MS: '2000' }

beforeAll(async () => {
  gateway = await startTestGateway({ settings: SETTINGS })
  other = await startOther()
  otherKey = other.ready.keys.enterprise
})
afterAll(async () => {
  await other.stop()
  await gateway.stop()
})

const startOther = (): Promise<DevProcess> =>
  startDev({
    dir: `${gateway.dir}/other`,
    env: {
      ...SETTINGS,
      // Its hits come from the data centre's cache, or from Redis.
      SLUICE_CACHE_MEMORY_BYTES: '0',
      ANTHROPIC_BASE_URL: gateway.simulatorUrl,
      UPSTASH_REDIS_REST_URL: gateway.redisUrl,
      UPSTASH_REDIS_REST_TOKEN: gateway.redisToken,
    },
  })

let prompts = 0
/** With so many deltas, where it matters. */
const newPrompt = (deltas?: number): string =>
  `Question ${process.pid} ${Date.now()} ${++prompts}${deltas === undefined ? '' : ` [sim:deltas=${deltas}]`}`

interface Ask {
  readonly stream?: boolean
  readonly fault?: string
  readonly key?: string
  readonly headers?: readonly (readonly [string, string])[]
  readonly fields?: object
}

const call = (prompt: string, { stream, fault, key, headers = [], fields }: Ask = {}) =>
  claudeCall({
    key: key ?? gateway.keys.enterprise,
    prompt,
    fields: { max_tokens: 2_000, ...(stream === undefined ? {} : { stream }), ...fields },
    headers: [['sluice-cache-ttl', '600'], ...headers],
    ...(fault === undefined ? {} : { fault }),
  })

const ask = (prompt: string, options: Ask = {}): Promise<RawAnswer> =>
  send(gateway.url, call(prompt, options))
const askOther = (prompt: string, options: Ask = {}): Promise<RawAnswer> =>
  send(other.ready.url, call(prompt, { ...options, key: otherKey }))

const statusOf = ({ headers }: Pick<RawAnswer, 'headers'>): string =>
  String(headers['cache-status'])
const reached = (prompt: string): number =>
  gateway.simulator.journal.list().filter(({ body }) => String(body).includes(`"${prompt}"`)).length
const textOf = (answer: RawAnswer): string => {
  const whole = answer.body.toString()
  if (!String(answer.headers['content-type']).startsWith('text/event-stream')) {
    const { content } = JSON.parse(whole) as { content: { text: string }[] }
    return content.map(({ text }) => text).join('')
  }
  return eventsOf(whole)
    .flatMap(({ data }) => {
      const { delta } = JSON.parse(data) as { delta?: { text?: string } }
      return delta?.text ?? []
    })
    .join('')
}
const admin = async (route: string, body?: object) => {
  const [method = '', path = ''] = route.split(' ')
  const answer = await send(gateway.url, {
    method,
    path: `/admin/v1${path}`,
    headers: [
      ['authorization', `Bearer ${gateway.adminToken}`],
      ['content-type', 'application/json'],
    ],
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: JSON.parse(answer.body.toString()) as never }
}

describe('identical requests at once', () => {
  it('a thousand make one call to Claude', async () => {
    const prompt = newPrompt()
    const asking = Array.from({ length: 1_000 }, () => ask(prompt, { fault: 'slow=500' }))
    const answers = await Promise.all(asking)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(new Set(answers.map(textOf)).size).toBe(1)
    expect(reached(prompt)).toBe(1)
    const kinds = new Set(answers.map(statusOf))
    expect(kinds).toContain('sluice; fwd=miss')
    expect(kinds).toContain('sluice; fwd=miss; collapsed')
  })

  it.each([false, true])('of two isolates make one call, streamed: %s', async (stream) => {
    await eventually(
      () => ask(newPrompt()),
      // A thousand at once may have worn the store out for a moment.
      (answer) => statusOf(answer) === 'sluice; fwd=miss',
      { withinMs: 8_000, everyMs: 200 },
    )
    const prompt = newPrompt()
    const asking = Array.from({ length: 40 }, (_, at) =>
      (at % 2 === 0 ? ask : askOther)(prompt, { stream, fault: 'slow=400' }),
    )
    const answers = await Promise.all(asking)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(new Set(answers.map(textOf)).size).toBe(1)
    expect(reached(prompt)).toBe(1)
  })

  it.each(['rst', 'fin'] as const)('are answered when the first leaves by %s', async (way) => {
    const prompt = newPrompt(40)
    const leader = open(gateway.url, call(prompt, { stream: true, fault: 'gap=20' }))
    const first = await leader
    await readUntil(first.response, 'content_block_delta')
    const others = [ask(prompt, { stream: true }), ask(prompt), askOther(prompt, { stream: true })]
    // They have joined.
    await new Promise((resolve) => setTimeout(resolve, 300))
    first.response.on('error', () => {})
    leave(first.socket, way)
    const answers = await Promise.all(others)
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(new Set(answers.map(textOf)).size).toBe(1)
    for (const { body } of [answers[0]!, answers[2]!]) {
      expect(eventsOf(body).at(-1)?.event).toBe('message_stop')
    }
    expect(reached(prompt)).toBe(1)
  })

  it('the call ends when all of them have left', async () => {
    const prompt = newPrompt(200)
    const opened = await Promise.all(
      [1, 2].map(() => open(gateway.url, call(prompt, { stream: true, fault: 'gap=50' }))),
    )
    for (const { response, socket } of opened) {
      response.on('error', () => {})
      leave(socket, 'rst')
    }
    const entries = () =>
      gateway.simulator.journal.list().filter(({ body }) => String(body).includes(`"${prompt}"`))
    const ended = await eventually(
      () => entries().map(({ outcome }) => outcome),
      (outcomes) => outcomes.length === 1 && outcomes[0] !== null,
      { withinMs: 6_000 },
    )
    expect(ended).toEqual(['aborted'])
  })

  it('get a stream as it comes, at both isolates', async () => {
    const prompt = newPrompt(25)
    const leader = await open(gateway.url, call(prompt, { stream: true, fault: 'gap=100' }))
    await readUntil(leader.response, 'content_block_delta')
    const followers = await Promise.all([
      open(gateway.url, call(prompt, { stream: true })),
      open(other.ready.url, call(prompt, { stream: true, key: otherKey })),
    ])
    for (const { response } of followers) await readUntil(response, 'content_block_delta')
    const [entry] = gateway.simulator.journal
      .list()
      .filter(({ body }) => String(body).includes(`"${prompt}"`))
    expect(entry?.outcome).toBeNull()
    await Promise.all([leader, ...followers].map(({ response }) => readAll(response)))
    expect(reached(prompt)).toBe(1)
  })

  it('all hear of a failure, after a bounded few calls', async () => {
    const prompt = newPrompt()
    const asking = Array.from({ length: 100 }, () => ask(prompt, { fault: 'slow=300,529' }))
    const answers = await Promise.all(asking)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([529]))
    expect(reached(prompt)).toBeLessThanOrEqual(2)
  })
})

describe('what is kept', () => {
  it('comes back byte for byte, with its age', async () => {
    const prompt = newPrompt()
    const first = await ask(prompt)
    const second = await ask(prompt)
    expect(statusOf(second)).toBe('sluice; hit')
    expect(second.headers['age']).toMatch(/^\d+$/)
    expect(second.body.equals(first.body)).toBe(true)
    const streamed = await ask(prompt, { stream: true })
    expect(statusOf(streamed)).toBe('sluice; hit')
    expect(textOf(streamed)).toBe(textOf(first))
    expect(reached(prompt)).toBe(1)
  })

  it('serves another isolate, and none of another tenant', async () => {
    const prompt = newPrompt()
    const first = await ask(prompt)
    const there = await eventually(
      () => askOther(prompt),
      (answer) => statusOf(answer) === 'sluice; hit',
      { withinMs: 2_000 },
    )
    expect(there.body.equals(first.body)).toBe(true)
    expect(reached(prompt)).toBe(1)
    const { key } = await addTenant(gateway.dir)
    expect(statusOf(await ask(prompt, { key }))).toBe('sluice; fwd=miss')
  })

  it("comes from the data centre's cache where no isolate holds it", async () => {
    const prompt = newPrompt()
    const colo = async () => {
      const { body } = await admin('GET /cache/stats')
      return (body as { hits: { colo: number } }).hits.colo
    }
    const before = await colo()
    const first = await askOther(prompt)
    const counted = await eventually(
      async () => {
        const again = await askOther(prompt)
        expect(again.body.equals(first.body)).toBe(true)
        return colo()
      },
      (hits) => hits > before,
      { withinMs: 4_000, everyMs: 200 },
    )
    expect(counted).toBeGreaterThan(before)
  })

  it('is kept for a tenant whose setting says so', async () => {
    const { key } = await addTenant(gateway.dir, { settings: { cache_ttl_seconds: 60 } })
    const prompt = newPrompt()
    const plain = () => send(gateway.url, claudeCall({ key, prompt, fields: { max_tokens: 500 } }))
    expect(statusOf(await plain())).toBe('sluice; fwd=miss')
    expect(statusOf(await plain())).toBe('sluice; hit')
  })

  it('counts as requests and as money saved', async () => {
    const { key, tenant } = await addTenant(gateway.dir)
    const prompt = newPrompt()
    for (let asked = 0; asked < 3; asked += 1) await ask(prompt, { key })
    const usage = await eventually(
      async () => {
        const { body } = await send(gateway.url, {
          path: '/v1/usage?group_by=model',
          headers: [['x-api-key', key]],
        })
        const { data } = JSON.parse(body.toString()) as {
          data: { requests: number; saved_usd: number; cost_usd: number }[]
        }
        return data[0]
      },
      (row) => row?.requests === 3,
      { withinMs: 5_000 },
    )
    expect(usage?.requests).toBe(3)
    expect(usage?.saved_usd).toBeCloseTo(2 * (usage?.cost_usd ?? 0), 6)
    expect(tenant).toBeDefined()
  })
})

describe('an operator', () => {
  it('invalidates, and the next request of every isolate sees it', async () => {
    const prompt = newPrompt()
    const tagged = { headers: [['sluice-cache-tags', `tag-${prompts}`]] as const }
    await ask(prompt, tagged)
    await eventually(
      () => askOther(prompt, tagged),
      (answer) => statusOf(answer) === 'sluice; hit',
      { withinMs: 2_000 },
    )
    const gone = await admin('POST /cache/invalidate', { tag: `tag-${prompts}` })
    expect(gone).toEqual({ status: 200, body: { generation: expect.any(Number) as number } })
    expect(statusOf(await askOther(prompt, tagged))).toBe('sluice; fwd=miss')
    expect(['sluice; hit', 'sluice; fwd=miss; collapsed']).toContain(
      statusOf(await ask(prompt, tagged)),
    )
    expect(reached(prompt)).toBe(2)
  })

  it('warms the cache, and reads what it did', async () => {
    const prompt = newPrompt()
    const request = {
      model: 'claude-sonnet-5-5',
      max_tokens: 2_000,
      messages: [{ role: 'user', content: prompt }],
    }
    const warmed = await admin('POST /cache/warm', {
      tenant: 'dev-enterprise',
      ttl: '600',
      requests: [request, { ...request, max_tokens: -1 }],
    })
    expect(warmed).toMatchObject({
      status: 200,
      body: { data: [{ status: 200, cache_status: 'sluice; fwd=miss' }, { status: 400 }] },
    })
    expect(statusOf(await ask(prompt))).toBe('sluice; hit')
    const stats = await eventually(
      () => admin('GET /cache/stats'),
      ({ body }) => (body as { saved_usd: number }).saved_usd > 0,
      { withinMs: 3_000 },
    )
    expect(stats.body).toMatchObject({
      hits: { memory: expect.any(Number) as number, redis: expect.any(Number) as number },
      saved_seconds: expect.any(Number) as number,
    })
  })

  it('is told what is wrong with what it asks', async () => {
    for (const body of [{}, { all: true, tag: 'a' }, { key: 'x' }, { older_than_seconds: -1 }]) {
      expect((await admin('POST /cache/invalidate', body)).status).toBe(400)
    }
  })
})

describe('when something is down', () => {
  it('the store: requests go by the cache', async () => {
    gateway.redis.setFault({ mode: 'refuse' })
    try {
      const answer = await ask(newPrompt())
      expect(answer.status).toBe(200)
      expect(statusOf(answer)).toBe('sluice; fwd=bypass')
    } finally {
      gateway.redis.setFault({ mode: 'ok' })
    }
  })

  it('an isolate that is killed: what it kept is there, what it was making is made anew', async () => {
    const [kept, making] = [newPrompt(), newPrompt(50)]
    const first = await askOther(kept)
    await eventually(
      () => ask(kept),
      (answer) => statusOf(answer) === 'sluice; hit',
      { withinMs: 3_000 },
    )
    const lost = open(
      other.ready.url,
      call(making, { stream: true, fault: 'gap=100', key: otherKey }),
    )
    await readUntil((await lost).response, 'content_block_delta')
    const waiting = ask(making)
    await new Promise((resolve) => setTimeout(resolve, 300))
    ;(await lost).response.on('error', () => {})
    await other.stop('SIGKILL')
    const answer = await waiting
    expect(answer.status).toBe(200)
    expect(reached(making)).toBe(2)
    other = await startOther()
    const again = await askOther(kept)
    expect(statusOf(again)).toBe('sluice; hit')
    expect(again.body.equals(first.body)).toBe(true)
  })
})
