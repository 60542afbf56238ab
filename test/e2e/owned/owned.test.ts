// Claude's batches and files through the gateway, with the real SDK: each its tenant's own, streamed, billed once at half.
import Anthropic, { toFile } from '@anthropic-ai/sdk'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { type AddedTenant, addTenant } from '../../support/tenants.ts'

const MODEL = 'claude-haiku-4-5'
let gateway: TestGateway
let alice: AddedTenant
let bob: AddedTenant

beforeAll(async () => {
  const accounts = ['a', 'b'].map((id) => ({ id, api_key: `sk-ant-sim-${id}` }))
  gateway = await startTestGateway({
    settings: { ANTHROPIC_ACCOUNTS: JSON.stringify(accounts), SLUICE_KEY_CACHE_MS: 0 },
    simulator: { batchMs: 60_000, batchCancelMs: 0 },
  })
  alice = await addTenant(gateway.dir)
  bob = await addTenant(gateway.dir)
})
afterAll(() => gateway.stop())

const clientOf = ({ key }: AddedTenant): Anthropic =>
  new Anthropic({ apiKey: key, baseURL: gateway.url, maxRetries: 0 })

const ask = (content: string, model: string = MODEL) => ({
  model,
  max_tokens: 64,
  messages: [{ role: 'user' as const, content }],
})

const batchOf = (client: Anthropic, ...ids: string[]) =>
  client.messages.batches.create({
    requests: ids.map((id) => ({ custom_id: id, params: ask(`task ${id}`) })),
  })

type Init = Omit<RequestInit, 'headers'> & { readonly headers?: Readonly<Record<string, string>> }

const call = (tenant: AddedTenant, path: string, init: Init = {}) =>
  fetch(`${gateway.url}${path}`, {
    ...init,
    headers: { 'x-api-key': tenant.key, 'anthropic-version': '2023-06-01', ...init.headers },
  })

const spentBy = async (tenant: AddedTenant) => {
  const usage = (await (await call(tenant, '/v1/usage')).json()) as {
    data: { model: string; requests: number; cost_usd: number }[]
  }
  return usage.data.filter(({ model }) => model.startsWith(MODEL))
}

describe('a batch', () => {
  it('runs its whole life through the SDK, and its results come from here', async () => {
    const client = clientOf(alice)
    const made = await batchOf(client, 'one', 'two', 'three')
    expect(made.processing_status).toBe('in_progress')
    expect(made.results_url).toBeNull()
    gateway.simulator.sim.batches.endNow(made.id)
    const ended = await client.messages.batches.retrieve(made.id)
    expect(ended.processing_status).toBe('ended')
    expect(ended.results_url).toBe(`${gateway.url}/v1/messages/batches/${made.id}/results`)
    const answers: string[] = []
    for await (const line of await client.messages.batches.results(made.id)) {
      expect(line.result.type).toBe('succeeded')
      answers.push(line.custom_id)
    }
    expect(new Set(answers)).toEqual(new Set(['one', 'two', 'three']))
    const gone = await client.messages.batches.delete(made.id)
    expect(gone.id).toBe(made.id)
    await expect(client.messages.batches.retrieve(made.id)).rejects.toMatchObject({ status: 404 })
  })

  it('is billed once at half price, however often and by whomever its results are read', async () => {
    const payer = await addTenant(gateway.dir)
    const client = clientOf(payer)
    const made = await batchOf(client, 'a', 'b')
    gateway.simulator.sim.batches.endNow(made.id)
    let cost = 0
    for (let time = 0; time < 3; time += 1) {
      await client.messages.batches.retrieve(made.id)
      cost = 0
      for await (const { result } of await client.messages.batches.results(made.id)) {
        if (result.type !== 'succeeded') throw new Error(result.type)
        const { input_tokens: input, output_tokens: output } = result.message.usage
        // Haiku 4.5: 1 and 5 dollars a million, half of that in a batch.
        cost += (input * 1e-6 + output * 5e-6) / 2
      }
    }
    const rows = await eventually(
      () => spentBy(payer),
      ([row]) => row !== undefined,
      {
        withinMs: 10_000,
      },
    )
    expect(rows.map(({ requests }) => requests)).toEqual([2])
    expect(rows[0]?.cost_usd).toBeCloseTo(cost, 9)
    await client.messages.batches.list()
    await client.messages.batches.delete(made.id)
    expect(await spentBy(payer)).toEqual(rows)
  })

  it('is billed where its tenant only looks whether it has ended', async () => {
    const payer = await addTenant(gateway.dir)
    const client = clientOf(payer)
    const made = await batchOf(client, 'a', 'b', 'c')
    gateway.simulator.sim.batches.endNow(made.id)
    for await (const _ of client.messages.batches.list()) break
    const rows = await eventually(
      () => spentBy(payer),
      ([row]) => row !== undefined,
      {
        withinMs: 10_000,
      },
    )
    expect(rows.map(({ requests }) => requests)).toEqual([3])
  })

  it('of another tenant is not there, on any of its routes', async () => {
    const made = await batchOf(clientOf(alice), 'secret')
    gateway.simulator.sim.batches.endNow(made.id)
    const path = `/v1/messages/batches/${made.id}`
    const unknown = '/v1/messages/batches/msgbatch_01unknown'
    for (const [method, end] of [
      ['GET', ''],
      ['GET', '/results'],
      ['POST', '/cancel'],
      ['DELETE', ''],
    ] as const) {
      const [foreign, none] = await Promise.all([
        call(bob, `${path}${end}`, { method }),
        call(bob, `${unknown}${end}`, { method }),
      ])
      expect([method, end, foreign.status, none.status]).toEqual([method, end, 404, 404])
      const text = (await foreign.text()).replaceAll(/req_\w+/g, '').replaceAll(made.id, 'ID')
      const other = (await none.text()).replaceAll(/req_\w+/g, '').replaceAll(/msgbatch_\w+/g, 'ID')
      expect(text).toBe(other)
    }
    expect((await clientOf(alice).messages.batches.retrieve(made.id)).processing_status).toBe(
      'ended',
    )
  })

  it('is canceled by its owner', async () => {
    const client = clientOf(alice)
    const made = await batchOf(client, 'x')
    const canceled = await client.messages.batches.cancel(made.id)
    expect(canceled.cancel_initiated_at).not.toBeNull()
  })

  it('names no model that its key may not use, and none without money', async () => {
    const held = await addTenant(gateway.dir, { models: [MODEL] })
    const requests = [
      { custom_id: 'a', params: ask('x') },
      { custom_id: 'b', params: ask('x', 'claude-opus-4-5') },
    ]
    const refused = clientOf(held).messages.batches.create({ requests })
    await expect(refused).rejects.toMatchObject({ status: 403 })
    const poor = await addTenant(gateway.dir, { overrides: { budget_usd_per_day: 0 } })
    await expect(batchOf(clientOf(poor), 'a')).rejects.toMatchObject({ status: 402 })
  })
})

describe('a list of batches', () => {
  it("shows the tenant's own alone, and so do its ends and its pages", async () => {
    const mine = await addTenant(gateway.dir)
    const client = clientOf(mine)
    const made: string[] = []
    for (let at = 0; at < 5; at += 1) {
      made.unshift((await batchOf(client, `n${at}`)).id)
      await batchOf(clientOf(bob), `other${at}`)
    }
    const first = await client.messages.batches.list({ limit: 2 })
    expect(first.data.map(({ id }) => id)).toEqual(made.slice(0, 2))
    expect([first.has_more, first.first_id, first.last_id]).toEqual([true, made[0], made[1]])
    const all: string[] = []
    for await (const { id } of client.messages.batches.list({ limit: 2 })) all.push(id)
    expect(all).toEqual(made)
    const before = await client.messages.batches.list({ limit: 2, before_id: made[4]! })
    expect(before.data.map(({ id }) => id)).toEqual(made.slice(2, 4))
    expect(before.has_more).toBe(true)
    const none = await clientOf(await addTenant(gateway.dir)).messages.batches.list()
    expect([none.data, none.has_more, none.first_id, none.last_id]).toEqual([[], false, null, null])
    // The id of another's is no place in this list, as one that does not exist is none.
    const [other] = (await clientOf(bob).messages.batches.list()).data
    for (const id of [other?.id, 'msgbatch_nobody']) {
      expect((await call(mine, `/v1/messages/batches?after_id=${id}`)).status).toBe(400)
    }
    for (const query of ['limit=0', 'limit=x', 'limit=1001', `after_id=${made[0]}&before_id=x`]) {
      expect((await call(mine, `/v1/messages/batches?${query}`)).status).toBe(400)
    }
  })
})

describe('a file', () => {
  it('is uploaded, read, listed and deleted through the SDK, by its owner alone', async () => {
    const client = clientOf(alice)
    const bytes = randomBytes(3 * 1024 * 1024)
    const made = await client.beta.files.upload({
      file: await toFile(bytes, 'data.bin', { type: 'application/octet-stream' }),
    })
    expect(made.size_bytes).toBe(bytes.length)
    expect((await client.beta.files.retrieveMetadata(made.id)).filename).toBe('data.bin')
    const content = Buffer.from(await (await client.beta.files.download(made.id)).arrayBuffer())
    expect(content.equals(bytes)).toBe(true)
    const listed: string[] = []
    for await (const { id } of client.beta.files.list()) listed.push(id)
    expect(listed).toEqual([made.id])

    const others: string[] = []
    for await (const { id } of clientOf(bob).beta.files.list()) others.push(id)
    expect(others).toEqual([])
    for (const [method, end] of [
      ['GET', ''],
      ['GET', '/content'],
      ['DELETE', ''],
    ] as const) {
      expect((await call(bob, `/v1/files/${made.id}${end}`, { method })).status).toBe(404)
    }
    await client.beta.files.delete(made.id)
    await expect(client.beta.files.retrieveMetadata(made.id)).rejects.toMatchObject({ status: 404 })
    for await (const { id } of client.beta.files.list()) throw new Error(id)
  })

  it('passes as it comes: what was sent is at Claude before the rest is sent', async () => {
    const boundary = 'b0undary'
    let uploaded = 0
    const release = Promise.withResolvers<void>()
    const encoder = new TextEncoder()
    const head = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="s.bin"\r\ncontent-type: application/octet-stream\r\n\r\n`
    const stream = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (uploaded === 0) controller.enqueue(encoder.encode(head))
        if (uploaded < 20) {
          uploaded += 1
          controller.enqueue(new Uint8Array(64 * 1024))
          return
        }
        await release.promise
        controller.enqueue(encoder.encode(`\r\n--${boundary}--\r\n`))
        controller.close()
      },
    })
    const answering = call(alice, '/v1/files', {
      method: 'POST',
      headers: {
        'content-type': `multipart/form-data; boundary=${boundary}`,
        'anthropic-beta': 'files-api-2025-04-14',
      },
      body: stream,
      duplex: 'half',
    } as Init)
    const arrived = await eventually(
      () => gateway.simulator.sim.journal.list().at(-1)?.body_bytes ?? 0,
      (received) => received >= 20 * 64 * 1024,
      { withinMs: 10_000 },
    )
    release.resolve()
    expect(arrived).toBeGreaterThanOrEqual(20 * 64 * 1024)
    const answer = await answering
    expect(answer.status, await answer.clone().text()).toBe(200)
    const { id } = (await answer.json()) as { id: string }
    expect((await call(alice, `/v1/files/${id}`, { method: 'DELETE' })).status).toBe(200)
  })

  it("leads a message to the account that keeps it, and is not there for another's", async () => {
    const client = clientOf(alice)
    const made = await client.beta.files.upload({
      file: await toFile(Buffer.from('hello'), 'a.txt', { type: 'text/plain' }),
    })
    const metadata = await call(alice, `/v1/files/${made.id}`)
    const account = metadata.headers.get('sluice-account')
    const body = JSON.stringify({
      ...ask(''),
      messages: [
        {
          role: 'user',
          content: [
            { type: 'document', source: { type: 'file', file_id: made.id } },
            { type: 'text', text: 'what is in it?' },
          ],
        },
      ],
    })
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
    for (let time = 0; time < 6; time += 1) {
      const answer = await call(alice, '/v1/messages', init)
      expect([answer.status, answer.headers.get('sluice-account')]).toEqual([200, account])
    }
    const foreign = await call(bob, '/v1/messages', init)
    expect(foreign.status).toBe(404)
    expect(await foreign.text()).toContain('File not found')
  })
})
