// Jobs from outside: taken, run in their lane, ended once, read back as Claude answered.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { jobClient, type ShownJob } from '../../support/job-client.ts'
import { addTenant } from '../../support/tenants.ts'

/** 200 in the long form. */
const MANY = Number(process.env['SLUICE_TEST_JOBS'] ?? 40)
let gateway: TestGateway
let jobs: ReturnType<typeof jobClient>
let receiver: Server
const received: { id: string; body: { type: string; data: ShownJob } }[] = []
const journal = (tag: string) => gateway.simulator.journal.list({ tag })
const arrived = (tag: string) => gateway.simulator.journal.wait({ tag, state: 'arrived' })

beforeAll(async () => {
  receiver = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk: Buffer) => (text += chunk.toString()))
    request.on('end', () => {
      received.push({ id: String(request.headers['webhook-id']), body: JSON.parse(text) })
      response.writeHead(204).end()
    })
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  gateway = await startTestGateway({
    settings: {
      SLUICE_JOB_ATTEMPTS: 3,
      SLUICE_JOB_BACKOFF_SECONDS: '0,1',
      SLUICE_JOB_TIMEOUT_MS: 2_000,
      SLUICE_LEASE_TTL_MS: 6_000,
      SLUICE_LEASE_RENEW_MS: 1_000,
      SLUICE_WEBHOOK_ALLOW: receiverUrl(),
      SLUICE_BREAKER_MIN_CALLS: 10_000,
      SLUICE_BREAKER_CONSECUTIVE: 10_000,
    },
  })
  jobs = jobClient(gateway.url, gateway.keys.enterprise)
})
afterAll(async () => {
  await gateway.stop()
  receiver.close()
})

const receiverUrl = (): string => `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`

const takenAs = async (options: Parameters<typeof jobs.send>[0]): Promise<string> => {
  const { status, body } = await jobs.send(options)
  expect({ status, body }).toMatchObject({ status: 202, body: { status: 'queued' } })
  return body.id
}

describe.concurrent('a job', () => {
  test('is taken with 202, run, and read back with its message, usage and cost', async () => {
    const { status, headers, body } = await jobs.send({
      prompt: '[sim:text=Done]',
      tag: 'one',
      fields: { metadata: { a: [1] }, lane: 'low', deadline_seconds: null, webhook: null },
    })
    expect(status).toBe(202)
    expect(body).toMatchObject({ status: 'queued', lane: 'low', mode: 'realtime' })
    expect(body['place']).toBeGreaterThan(0)
    expect(headers.get('location')).toBe(`/v1/jobs/${body.id}`)
    const job = await jobs.ended(body.id)
    expect(job).toMatchObject({ status: 'succeeded', attempts: 1, metadata: { a: [1] } })
    expect(job.result?.content[0]?.text).toBe('Done')
    expect(Number(job.usage?.['output_tokens'])).toBeGreaterThan(0)
    expect(job.cost_usd).toBeGreaterThan(0)
    expect(journal('one')).toHaveLength(1)
  })

  test('reaches Claude byte for byte, its stream is put together', async () => {
    const request = { stream: true, stop_sequences: ['\u00e9'] }
    const id = await takenAs({ prompt: '[sim:text=As one]', tag: 'bytes', request })
    expect((await jobs.ended(id)).result).toMatchObject({
      type: 'message',
      content: [{ type: 'text', text: 'As one' }],
    })
    expect(journal('bytes')[0]).toMatchObject({ stream: true, outcome: 'completed' })
  })

  test('may be far larger than a queue message or a row', async () => {
    const prompt = `[sim:text=Much] ${'lorem ipsum '.repeat(300_000)}`
    const id = await takenAs({ prompt, tag: 'large' })
    expect(await jobs.ended(id)).toMatchObject({ status: 'succeeded' })
    expect(journal('large')[0]?.body_bytes).toBeGreaterThan(3_600_000)
  })

  test('is tried again after a failure of Claude, and ends in the dead letters', async () => {
    const id = await takenAs({ tag: 'always-500', fault: '500' })
    const next = await takenAs({ tag: 'neighbour' })
    expect(await jobs.ended(next)).toMatchObject({ status: 'succeeded', attempts: 1 })
    expect(await jobs.ended(id)).toMatchObject({
      status: 'failed',
      attempts: 3,
      error: { type: 'api_error' },
    })
    expect(journal('always-500')).toHaveLength(3)
  })

  test('fails at once where Claude says that the request itself is wrong', async () => {
    const id = await takenAs({ tag: 'bad', request: { max_tokens: 99_999_999 } })
    expect(await jobs.ended(id)).toMatchObject({
      status: 'failed',
      attempts: 1,
      error: { type: 'invalid_request_error' },
    })
    expect(journal('bad')).toHaveLength(1)
  })

  test('that hangs is cut after its time, and tried again', async () => {
    gateway.simulator.sim.rules.add({ match: { tag: 'hangs', first: 1 }, fault: 'hang' })
    const id = await takenAs({ tag: 'hangs' })
    expect(await jobs.ended(id)).toMatchObject({ status: 'succeeded', attempts: 2 })
    expect(journal('hangs').map(({ outcome }) => outcome)).toEqual(['aborted', 'completed'])
  })

  test('waits out what Claude throttles, with no attempt used up', async () => {
    gateway.simulator.sim.rules.add({
      match: { tag: 'throttled', first: 2 },
      fault: '429;retry-after=1',
    })
    const id = await takenAs({ tag: 'throttled', request: { model: 'claude-haiku-4-5' } })
    expect(await jobs.ended(id)).toMatchObject({ status: 'succeeded', attempts: 1 })
    expect(journal('throttled')).toHaveLength(3)
  })

  test('that runs is canceled at once: its call is cut', async () => {
    const id = await takenAs({ tag: 'cancel', fault: 'hang' })
    await arrived('cancel')
    const { body } = await jobs.cancel(id)
    expect(body).toMatchObject({ id, status: 'canceled' })
    const [entry] = await gateway.simulator.journal.wait({ tag: 'cancel', outcome: 'aborted' })
    expect(Number(entry?.aborted_at) - Number(entry?.at)).toBeLessThan(1_500)
    expect((await jobs.cancel(id)).body.status).toBe('canceled')
  })

  test('expires at its deadline', async () => {
    const fields = { deadline_seconds: 1 }
    const id = await takenAs({ tag: 'late', fault: 'hang', fields })
    expect(await jobs.ended(id)).toMatchObject({
      status: 'expired',
      error: { type: 'timeout_error' },
    })
  })

  test('tells its end to its webhook, once, and shows that it did', async () => {
    const url = `${receiverUrl()}/ended`
    const id = await takenAs({ tag: 'hook', fields: { webhook: { url } } })
    const told = await eventually(
      async () => (await jobs.read(id))['webhook'],
      (webhook) => Reflect.get(Object(webhook), 'state') === 'succeeded',
      { withinMs: 10_000, everyMs: 50 },
    )
    const mine = received.filter(({ body }) => body.data.id === id)
    expect(mine).toMatchObject([
      { body: { type: 'job.succeeded', data: { id, status: 'succeeded', attempts: 1 } } },
    ])
    expect(told).toMatchObject({ url, id: mine[0]?.id, attempts: 1 })
    const refused = await jobs.send({ fields: { webhook: { url: 'https://127.0.0.1/x' } } })
    expect([refused.status, refused.headers.get('sluice-reason')]).toEqual([
      400,
      'webhook_url_refused',
    ])
  })

  test('is another tenant nothing, and not in its list', async () => {
    const id = await takenAs({ tag: 'mine' })
    const other = jobClient(gateway.url, gateway.keys.free)
    expect((await other.ask(`/v1/jobs/${id}`)).status).toBe(404)
    expect((await other.cancel(id)).status).toBe(404)
    expect((await other.list()).body.data).toEqual([])
    await jobs.ended(id)
  })

  test('of a key that may not use the model, or with a wrong field, is refused by name', async () => {
    const refusal = async (options: Parameters<typeof jobs.send>[0]) => {
      const { status, body } = await jobs.send(options)
      return [status, body.error?.message]
    }
    expect(await refusal({ request: { max_tokens: 'x' } })).toEqual([
      400,
      'request.max_tokens: Input should be a valid integer',
    ])
    expect(await refusal({ fields: { lane: 'fast' } })).toEqual([
      400,
      'lane: expected one of high, normal, low',
    ])
    expect(await refusal({ fields: { deadline: 1 } })).toEqual([
      400,
      expect.stringMatching(/^deadline: there is no such field/),
    ])
    const { key } = await addTenant(gateway.dir, { models: ['claude-haiku-*'] })
    expect((await jobClient(gateway.url, key).send()).status).toBe(403)
  })
})

test('an idempotency key makes one job, and is another body nothing', async () => {
  const headers = { 'idempotency-key': 'k-1' }
  const first = await jobs.send({ prompt: 'Once', tag: 'idem', headers })
  const all = await Promise.all(
    Array.from({ length: 5 }, () => jobs.send({ prompt: 'Once', tag: 'idem', headers })),
  )
  for (const { status, body } of all)
    expect({ status, body }).toEqual({ status: 202, body: first.body })
  const other = await jobs.send({ prompt: 'Twice', headers })
  expect([other.status, other.headers.get('sluice-reason')]).toEqual([422, 'idempotency_mismatch'])
  await jobs.ended(first.body.id)
  expect(journal('idem')).toHaveLength(1)
  const free = jobClient(gateway.url, gateway.keys.premium)
  expect((await free.send({ prompt: 'Other', headers })).status).toBe(202)
})

describe('an operator', () => {
  const admin = async <T>(path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(`${gateway.url}/admin/v1${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${gateway.adminToken}`,
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    expect(answer.status).toBe(200)
    return (await answer.json()) as T
  }
  interface Letters {
    readonly data: { id: string; tenant: string; attempts: number; redrives: number }[]
  }

  test('sees dead letters without their prompt, and redrives each once', async () => {
    const { key, tenant } = await addTenant(gateway.dir)
    const own = jobClient(gateway.url, key)
    gateway.simulator.sim.rules.add({ match: { tag: 'dead', first: 3 }, fault: '500' })
    const { body } = await own.send({ prompt: '[sim:text=Alive] secret words', tag: 'dead' })
    await own.ended(body.id)
    const letters = await admin<Letters>(`/dead-letters?tenant=${tenant}`)
    expect(letters.data).toMatchObject([{ id: body.id, tenant, attempts: 3, redrives: 0 }])
    expect(JSON.stringify(letters)).not.toContain('secret')
    const redrive = () => admin<{ redriven: number }>('/dead-letters/redrive', { ids: [body.id] })
    const asked = await Promise.all([redrive(), redrive(), redrive()])
    expect(asked.map(({ redriven }) => redriven).filter((count) => count > 0)).toEqual([1])
    expect(await own.ended(body.id)).toMatchObject({ status: 'succeeded', attempts: 1 })
    expect(journal('dead')).toHaveLength(4)
    const events = await admin<{ data: { after: { jobs: string[] } }[] }>(
      `/events?action=dead_letters.redrive&tenant=${tenant}`,
    )
    expect(events.data.map(({ after }) => after.jobs)).toEqual([[body.id]])
    expect((await admin<Letters>(`/dead-letters?tenant=${tenant}`)).data).toEqual([])
  })

  test('sees the queues by lane', async () => {
    const running = await takenAs({ tag: 'seen', fault: 'hang', fields: { lane: 'low' } })
    await arrived('seen')
    const { data } = await admin<{ data: Record<string, unknown>[] }>('/queues')
    expect(data.map(({ lane }) => lane)).toEqual(['high', 'normal', 'low'])
    expect(data[2]).toMatchObject({ depth: 0, in_flight: 1, oldest_age_seconds: null })
    expect(data.some(({ in_per_minute: rate }) => Number(rate) > 0)).toBe(true)
    await jobs.cancel(running)
  })
})

test('lists give pages, the latest first, by status and lane', async () => {
  const { key } = await addTenant(gateway.dir)
  const own = jobClient(gateway.url, key)
  const ids: string[] = []
  for (let n = 0; n < 5; n += 1) {
    const { body } = await own.send({ fields: { lane: n < 2 ? 'low' : 'high' } })
    ids.unshift(body.id)
  }
  for (const id of ids) await own.ended(id)
  const first = (await own.list('?limit=2')).body
  expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 2))
  expect(first.has_more).toBe(true)
  const rest = (await own.list(`?limit=10&page=${first.next_page}`)).body
  expect(rest.data.map(({ id }) => id)).toEqual(ids.slice(2))
  expect([rest.has_more, rest.next_page]).toEqual([false, null])
  const low = (await own.list('?lane=low&status=succeeded')).body.data
  expect(low.map(({ id }) => id)).toEqual(ids.slice(3))
  expect((await own.list('?status=done')).status).toBe(400)
})

test(`${MANY} at once are one upstream call each`, async () => {
  const { key } = await addTenant(gateway.dir, { overrides: { lane: 'high' } })
  const own = jobClient(gateway.url, key)
  const sent = await Promise.all(
    Array.from({ length: MANY }, (_, n) => own.send({ prompt: `[sim:text=n${n}]`, tag: `h${n}` })),
  )
  const succeeded = async (): Promise<ShownJob[]> => {
    const first = (await own.list('?status=succeeded&limit=100')).body
    if (first.next_page === null) return first.data
    const rest = await own.list(`?status=succeeded&limit=100&page=${first.next_page}`)
    return [...first.data, ...rest.body.data]
  }
  const all = await eventually(succeeded, ({ length }) => length === MANY, {
    withinMs: 40_000,
    everyMs: 250,
  })
  expect(all.map(({ attempts }) => attempts)).toEqual(sent.map(() => 1))
  expect(new Set(all.map(({ id }) => id))).toEqual(new Set(sent.map(({ body }) => body.id)))
  for (const [n, { body }] of sent.entries()) {
    expect(journal(`h${n}`)).toHaveLength(1)
    if (n % 20 === 0) {
      expect((await own.read(body.id)).result?.content[0]?.text).toBe(`n${n}`)
    }
  }
})

test('a full gate makes a job of a request that can wait, with its place', async () => {
  const { key } = await addTenant(gateway.dir, { overrides: { on_overload: 'queue' } })
  const own = jobClient(gateway.url, key)
  const admin = (path: string) =>
    fetch(`${gateway.url}/admin/v1/accounts/default/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${gateway.adminToken}` },
    })
  await admin('open')
  const ask = (headers: Record<string, string>) =>
    own.ask<ShownJob>('/v1/messages', {
      method: 'POST',
      headers: { 'anthropic-version': '2023-06-01', 'anthropic-sim-tag': 'async', ...headers },
      body: JSON.stringify({
        model: 'claude-sonnet-5-5',
        max_tokens: 64,
        stream: true,
        messages: [{ role: 'user', content: '[sim:text=Later]' }],
      }),
    })
  expect((await ask({})).status).toBe(503)
  const { status, headers, body } = await ask({ prefer: 'respond-async, wait=5' })
  expect(status).toBe(202)
  expect(headers.get('preference-applied')).toBe('respond-async')
  expect(headers.get('sluice-reason')).toBe('accounts_open')
  expect(body).toMatchObject({ status: 'queued', place: 1 })
  await admin('close')
  const job = await eventually(
    () => own.read(body.id),
    ({ status: now }) => now === 'succeeded',
    { withinMs: 20_000, everyMs: 100 },
  )
  expect(job.result?.content[0]?.text).toBe('Later')
  expect(job.attempts).toBe(1)
})
