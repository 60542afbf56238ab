// The official SDK, unmodified, against the simulator.
import Anthropic from '@anthropic-ai/sdk'
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema'
import { describe, expect, it } from 'vitest'
import { MODEL, simulatorForFile } from './support.ts'

const running = await simulatorForFile({ batchMs: 60 })
const client = new Anthropic({
  apiKey: 'sk-ant-sim-sdk',
  baseURL: running.url,
  maxRetries: 0,
  timeout: 5_000,
})
const hello = {
  model: MODEL,
  max_tokens: 300,
  messages: [{ role: 'user' as const, content: 'Tell me about tides' }],
}

const withFault = (fault: string) => ({ headers: { 'anthropic-sim-fault': fault } })

describe('messages', () => {
  it('are created', async () => {
    const message = await client.messages.create(hello)
    expect(message).toMatchObject({ type: 'message', role: 'assistant', stop_reason: 'end_turn' })
    expect(message.usage.output_tokens).toBeGreaterThan(0)
    expect(message._request_id).toMatch(/^req_/)
  })

  it('stream as events and through the helper', async () => {
    const kinds: string[] = []
    for await (const event of await client.messages.create({ ...hello, stream: true })) {
      kinds.push(event.type)
    }
    expect(kinds[0]).toBe('message_start')
    expect(kinds.at(-1)).toBe('message_stop')
    const stream = client.messages.stream(hello)
    const plain = await client.messages.create(hello)
    const final = await stream.finalMessage()
    expect(final.content).toEqual(plain.content)
    expect(final.usage.output_tokens).toBe(plain.usage.output_tokens)
  })

  it('stream tools and thinking through the helper', async () => {
    const final = await client.messages
      .stream({
        ...hello,
        max_tokens: 3_000,
        thinking: { type: 'enabled', budget_tokens: 1_024 },
        tools: [
          {
            name: 'look',
            input_schema: {
              type: 'object',
              properties: { at: { type: 'string' } },
              required: ['at'],
            },
          },
        ],
        messages: [{ role: 'user', content: '[sim:tool]' }],
      })
      .finalMessage()
    expect(final.content[0]?.type).toBe('thinking')
    const call = final.content.find((block) => block.type === 'tool_use')
    expect(call?.input).toHaveProperty('at')
  })

  it('ignore unknown events within a stream', async () => {
    const final = await client.messages.stream(hello, withFault('unknown')).finalMessage()
    expect(final.stop_reason).toBe('end_turn')
  })

  it('are counted', async () => {
    const { max_tokens: _none, ...question } = hello
    const counted = await client.messages.countTokens(question)
    const message = await client.messages.create(hello)
    expect(counted.input_tokens).toBe(message.usage.input_tokens)
  })

  it('abort within a stream, and the journal shows it', async () => {
    const prompt = { role: 'user' as const, content: '[sim:tokens=2000][sim:gap=5]' }
    const stream = client.messages.stream({ ...hello, max_tokens: 4_000, messages: [prompt] })
    stream.on('text', () => stream.abort())
    await expect(stream.done()).rejects.toThrow(Anthropic.APIUserAbortError)
    expect((await running.journal.wait({ outcome: 'aborted' })).length).toBe(1)
  })
})

describe('errors', () => {
  it.each([
    ['400', Anthropic.BadRequestError],
    ['401', Anthropic.AuthenticationError],
    ['403', Anthropic.PermissionDeniedError],
    ['404', Anthropic.NotFoundError],
    ['429', Anthropic.RateLimitError],
    ['500', Anthropic.InternalServerError],
    ['reset', Anthropic.APIConnectionError],
  ])('%s are the class of the SDK', async (fault, kind) => {
    await expect(client.messages.create(hello, withFault(fault))).rejects.toThrow(kind)
  })

  it('of a spend limit carry their code', async () => {
    const failed = client.messages.create(hello, withFault('429=spend'))
    await expect(failed).rejects.toMatchObject({ errorCode: 'enforced_spend_limit_reached' })
  })

  it('within a stream are thrown', async () => {
    const stream = client.messages.stream(hello, withFault('error;after=3'))
    await expect(stream.finalMessage()).rejects.toMatchObject({ type: 'overloaded_error' })
  })

  it('are retried by the SDK, which says so', async () => {
    running.sim.rules.add({ match: { first: 2 }, fault: '529' })
    const message = await client.messages.create(hello, { maxRetries: 2 })
    expect(message.type).toBe('message')
    const retries = running.journal.list().map((entry) => {
      const at = entry.rawHeaders.findIndex((name) => /^x-stainless-retry-count$/i.test(name))
      return entry.rawHeaders[at + 1]
    })
    expect(retries).toEqual(['0', '1', '2'])
  })
})

describe('models', () => {
  it('are listed page by page and fetched alone', async () => {
    const ids: string[] = []
    for await (const model of client.models.list({ limit: 4 })) ids.push(model.id)
    expect(ids.length).toBeGreaterThan(15)
    expect(new Set(ids).size).toBe(ids.length)
    expect((await client.models.retrieve(MODEL)).display_name).toBe('Claude Sonnet 5.5')
    await expect(client.models.retrieve('claude-none')).rejects.toThrow(Anthropic.NotFoundError)
  })
})

function runnerTools(log: string[]) {
  return [
    betaTool({
      name: 'look',
      description: 'Looks something up',
      inputSchema: {
        type: 'object',
        properties: { what: { type: 'string' } },
        required: ['what'],
        additionalProperties: false,
      },
      run: (input) => {
        log.push(String(input.what))
        return 'found'
      },
    }),
  ]
}

const sentBodies = () =>
  running.journal.list({ path: '/v1/messages' }).map(
    (entry) =>
      JSON.parse(entry.body?.toString() ?? '{}') as {
        thread?: { type: string }
        messages: unknown[]
      },
  )

describe('the tool runner', () => {
  const params = {
    ...hello,
    messages: [{ role: 'user' as const, content: 'find it [sim:tool]' }],
  }

  it('uses threads: the second turn sends only what is new', async () => {
    running.sim.settings.keepBodyBytes = 100_000
    const log: string[] = []
    const final = await client.beta.messages.toolRunner({ ...params, tools: runnerTools(log) })
    expect(log).toHaveLength(1)
    expect(final.stop_reason).toBe('end_turn')
    const bodies = sentBodies()
    expect(bodies.map((body) => body.thread?.type)).toEqual(['create', 'continue'])
    expect(bodies[1]?.messages).toHaveLength(1)
  })

  it('goes on without threads where they are not supported', async () => {
    running.sim.settings.keepBodyBytes = 100_000
    running.sim.rules.add({ fault: 'thread-unsupported', count: 1 })
    const log: string[] = []
    const final = await client.beta.messages.toolRunner({ ...params, tools: runnerTools(log) })
    expect(log).toHaveLength(1)
    expect(final.stop_reason).toBe('end_turn')
    expect(sentBodies().map((body) => body.thread?.type)).toEqual(['create', undefined, undefined])
  })

  it('replays everything when its thread is lost', async () => {
    running.sim.settings.keepBodyBytes = 100_000
    running.sim.rules.add({ match: { nth: 2 }, fault: 'thread-lost' })
    const log: string[] = []
    await client.beta.messages.toolRunner({ ...params, tools: runnerTools(log) })
    const bodies = sentBodies()
    expect(bodies.map((body) => body.thread?.type)).toEqual(['create', 'continue', 'create'])
    expect(bodies[2]?.messages).toHaveLength(3)
  })
})

describe('batches', () => {
  const requests = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ custom_id: id, params: hello }))

  it('run to their end and give unordered results at the batch tier', async () => {
    const created = await client.messages.batches.create({ requests })
    expect(created).toMatchObject({ processing_status: 'in_progress', results_url: null })
    expect(created.request_counts.processing).toBe(5)
    running.sim.batches.endNow(created.id)
    const ended = await client.messages.batches.retrieve(created.id)
    expect(ended.processing_status).toBe('ended')
    expect(ended.results_url).toBe(`${running.url}/v1/messages/batches/${created.id}/results`)
    const ids: string[] = []
    for await (const line of await client.messages.batches.results(created.id)) {
      ids.push(line.custom_id)
      expect(line.result).toMatchObject({
        type: 'succeeded',
        message: { usage: { service_tier: 'batch' } },
      })
    }
    expect(ids.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e'])
    const listed = await client.messages.batches.list()
    expect(listed.data.map((batch) => batch.id)).toEqual([created.id])
    expect(await client.messages.batches.delete(created.id)).toMatchObject({
      type: 'message_batch_deleted',
    })
    await expect(client.messages.batches.retrieve(created.id)).rejects.toThrow(
      Anthropic.NotFoundError,
    )
  })
})

describe('files', () => {
  it('are uploaded, listed, read back and deleted', async () => {
    const file = new File(['naïve café'], 'note.txt', { type: 'text/plain' })
    const uploaded = await client.files.upload({ file })
    expect(uploaded).toMatchObject({
      filename: 'note.txt',
      mime_type: 'text/plain',
      size_bytes: 12,
    })
    expect((await client.files.list()).data.map((one) => one.id)).toEqual([uploaded.id])
    expect((await client.files.retrieveMetadata(uploaded.id)).size_bytes).toBe(12)
    expect(await (await client.files.download(uploaded.id)).text()).toBe('naïve café')
    await client.files.delete(uploaded.id)
    await expect(client.files.retrieveMetadata(uploaded.id)).rejects.toThrow(
      Anthropic.NotFoundError,
    )
  })
})
