// The main job: a message, whole and streamed, with the bytes as Claude sends them.
import type { Check } from '../check.ts'
import { ensureMessage, ensureRequestId, smallRequest } from '../claude-shape.ts'
import { ensure } from '../failure.ts'
import { asList, asObject } from '../json.ts'
import { completeEvents, ensureOrder, parseStream, usageOf } from '../sse.ts'
import { ensureOk, type Target } from '../target.ts'

const group = 'messages'
const PATH = '/v1/messages'

export const messageChecks: readonly Check[] = [
  {
    group,
    name: 'a message is answered whole, with its usage and a request id',
    async run(target) {
      const answer = await target.call(PATH, { body: smallRequest(target.model) })
      ensureOk(answer)
      ensureMessage(answer)
      ensureRequestId(answer.headers)
    },
  },
  {
    group,
    name: 'a streamed message has the right content type, order and usage',
    async run(target) {
      const answer = await stream(target)
      const events = parseStream(answer.text)
      ensureOrder(events)
      const { input, output } = usageOf(events)
      ensure(input > 0, 'the stream counts no input tokens')
      ensureRequestId(answer.headers)
      return `${events.length} events, ${output} tokens`
    },
  },
  {
    group,
    name: 'a stream arrives event by event, not as one block',
    async run(target) {
      const body = smallRequest(target.model, {
        stream: true,
        max_tokens: 256,
        messages: [{ role: 'user', content: 'Count to forty. [sim:tokens=80][sim:gap=10]' }],
      })
      const response = await target.open(PATH, { body })
      ensure(response.status === 200 && response.body !== null, `status ${response.status}`)
      let chunks = 0
      for await (const _ of response.body) chunks++
      ensure(chunks > 1, 'the whole stream came in one piece')
      return `${chunks} pieces`
    },
  },
  {
    group,
    name: 'answers are not compressed or rewritten on the way',
    async run(target) {
      const answer = await stream(target, { 'accept-encoding': 'identity' })
      const encoding = answer.headers.get('content-encoding')
      ensure(encoding === null || encoding === 'identity', `content-encoding is ${encoding}`)
      ensure(!/^\uFEFF|\uFFFD/.test(answer.text), 'characters of the stream are damaged')
      // What Claude pads its data lines with shows that nobody has parsed and printed them anew.
      const padded = answer.text.split('\n').filter((line) => /^data: .* +}$/.test(line)).length
      return padded === 0 ? 'no padding seen' : `padding kept on ${padded} lines`
    },
  },
  {
    group,
    name: 'the request body goes up as it is: characters beyond ASCII come back unharmed',
    async run(target) {
      // Claude's refusal of a model repeats its name.
      const name = 'claude-größe-模型-🙂'
      const answer = await target.call(PATH, { body: smallRequest(name) })
      ensure(answer.status === 404, `status ${answer.status} instead of 404`)
      const error = asObject(asObject(JSON.parse(answer.text), 'the body')['error'], 'error')
      ensure(
        String(error['message']).includes(name),
        `the name came back as ${String(error['message']).slice(0, 80)}`,
      )
    },
  },
  {
    group,
    name: 'the query does not decide: ?beta=true is answered alike',
    async run(target) {
      const answer = await target.call(`${PATH}?beta=true`, { body: smallRequest(target.model) })
      ensureOk(answer)
      ensureMessage(answer)
    },
  },
  {
    group,
    name: 'a beta header that nobody knows is passed on, not stopped',
    async run(target) {
      const answer = await target.call(PATH, {
        body: smallRequest(target.model),
        headers: { 'anthropic-beta': 'doctor-unheard-of-2031-01-01' },
      })
      // Claude itself may refuse it by name; a gateway may not.
      const byClaude = answer.status === 400 && answer.text.includes('anthropic-beta')
      ensure(
        byClaude || answer.status === 200,
        `status ${answer.status}: ${answer.text.slice(0, 160)}`,
      )
      return byClaude ? 'refused by Claude itself' : undefined
    },
  },
  {
    group,
    name: 'both API versions pass: 2023-06-01 and 2026-10-21',
    async run(target) {
      for (const version of ['2023-06-01', '2026-10-21']) {
        const answer = await target.call(PATH, {
          body: smallRequest(target.model),
          headers: { 'anthropic-version': version },
        })
        ensure(answer.status === 200, `version ${version}: status ${answer.status}`)
      }
    },
  },
  {
    group,
    name: 'a forced tool call is streamed with its input as JSON',
    async run(target) {
      const answer = await stream(target, {}, { ...TOOL, max_tokens: 200 })
      const events = parseStream(answer.text)
      ensureOrder(events)
      const deltas = events.map(({ data }) => data['delta']).filter((d) => d !== undefined)
      const json = deltas
        .map((delta) => asObject(delta, 'delta'))
        .filter((delta) => delta['type'] === 'input_json_delta')
        .map((delta) => String(delta['partial_json']))
        .join('')
      asObject(JSON.parse(json === '' ? '{}' : json), 'the input of the tool call')
      const blocks = events.map(({ data }) => data['content_block']).filter((b) => b !== undefined)
      ensure(
        blocks.some((block) => asObject(block, 'content_block')['type'] === 'tool_use'),
        'no tool_use block came',
      )
    },
  },
  {
    group,
    name: 'a caller may leave in the middle of a stream, and the next call is answered',
    async run(target) {
      const seen = await leaveAfterFirstEvent(target)
      ensureOk(await target.call(PATH, { body: smallRequest(target.model) }))
      return `left after ${seen} events`
    },
  },
  {
    group,
    name: 'tokens are counted without an answer',
    async run(target) {
      const { model, messages } = smallRequest(target.model)
      const answer = await target.call(`${PATH}/count_tokens`, { body: { model, messages } })
      ensureOk(answer)
      const tokens = asObject(JSON.parse(answer.text), 'the body')['input_tokens']
      ensure(typeof tokens === 'number' && tokens > 0, `input_tokens is ${String(tokens)}`)
      return `${tokens} tokens`
    },
  },
  {
    group,
    name: 'usage counts what count_tokens foretold',
    async run(target) {
      const { model, messages } = smallRequest(target.model)
      const counted = await target.call(`${PATH}/count_tokens`, { body: { model, messages } })
      ensureOk(counted)
      const foretold = asObject(JSON.parse(counted.text), 'the body')['input_tokens']
      const answer = await target.call(PATH, { body: smallRequest(target.model) })
      ensureOk(answer)
      const { usage, content } = ensureMessage(answer)
      asList(content, 'content')
      const used = asObject(usage, 'usage')['input_tokens']
      // Claude calls its count an estimate.
      ensure(
        Math.abs(Number(used) - Number(foretold)) <= 10,
        `${String(used)} input tokens used, ${String(foretold)} foretold`,
      )
    },
  },
]

const TOOL = {
  tools: [
    {
      name: 'get_weather',
      description: 'The weather at a place',
      input_schema: {
        type: 'object',
        properties: { place: { type: 'string' } },
        required: ['place'],
      },
    },
  ],
  tool_choice: { type: 'tool', name: 'get_weather' },
}

async function stream(
  target: Target,
  headers: Record<string, string> = {},
  more: Record<string, unknown> = {},
) {
  const answer = await target.call(PATH, {
    body: smallRequest(target.model, { stream: true, ...more }),
    headers,
  })
  ensureOk(answer)
  const type = answer.headers.get('content-type') ?? 'none'
  ensure(/^text\/event-stream(;|$)/.test(type), `content-type is ${type}, not text/event-stream`)
  return answer
}

async function leaveAfterFirstEvent(target: Target): Promise<number> {
  const leave = new AbortController()
  const response = await target.open(PATH, {
    body: smallRequest(target.model, {
      stream: true,
      max_tokens: 1_000,
      messages: [{ role: 'user', content: 'Tell a long story. [sim:tokens=900][sim:gap=20]' }],
    }),
    signal: leave.signal,
  })
  ensure(response.status === 200 && response.body !== null, `status ${response.status}`)
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body) {
    text += decoder.decode(chunk as Uint8Array, { stream: true })
    if (completeEvents(text).length > 0) break
  }
  leave.abort()
  return completeEvents(text).length
}
