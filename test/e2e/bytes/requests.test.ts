// The caller's body and query reach Claude byte for byte, and Claude's plain answers and errors come back so.
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claudeCall, MODEL } from '../../support/claude-call.ts'
import { send } from '../../support/raw-http.ts'
import { accountList } from '../../support/accounts.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'

const sha256 = (bytes: Uint8Array | string): string =>
  createHash('sha256').update(bytes).digest('hex')

const messages = [{ role: 'user', content: 'Hello' }]

/** Bodies that are one JSON value each, and that no printer would print this way. */
const BODIES: Readonly<Record<string, string>> = {
  'pretty-printed': JSON.stringify({ model: MODEL, max_tokens: 9, messages }, null, 4),
  'with spaces, tabs and CRLF between its tokens': `\r\n{ "model"\t:  "${MODEL}" ,\r\n"max_tokens":9,"messages":[ {"role":"user","content":"a  b"} ] }\r\n\r\n`,
  'with escapes and characters side by side': `{"model":"${MODEL}","max_tokens":9,"messages":[{"role":"user","content":"\\u00e9é\\ud83d\\ude00😀\\/\\u2028"}]}`,
  'with an escaped field name': `{"mod\\u0065l":"${MODEL}","max_tokens":9,"messages":[{"role":"user","content":"a"}]}`,
  'with numbers that lose their form': `{"max_tokens":9.0e0,"model":"${MODEL}","messages":[{"role":"user","content":"a"}],"metadata":{"user_id":"u"},"big":123456789012345678901234567890,"e":1E400,"z":-0.0}`,
  'with unknown fields and blocks': `{"model":"${MODEL}","max_tokens":9,"messages":[{"role":"user","content":[{"type":"hologram","beam":[]}]}],"context_management":{"edits":[{"type":"x"}]}}`,
  'with its fields in another order': `{"messages":[{"role":"user","content":"a"}],"stream":false,"max_tokens":9,"model":"${MODEL}"}`,
  'with a large prompt': JSON.stringify({
    messages: [{ role: 'user', content: 'Zeile 1\n\t"ß" '.repeat(70_000) }],
    model: MODEL,
    max_tokens: 9,
  }),
}

/** Each has an account of its own, found by its model, since some of these close an account. */
const FINAL_ERRORS = [
  { status: 400, type: 'invalid_request_error', details: 'thread_unsupported_request' },
  { status: 402, type: 'billing_error', details: null },
  { status: 404, type: 'not_found_error', details: 'thread_not_found' },
  { status: 413, type: 'request_too_large', details: null },
  { status: 422, type: 'error_of_tomorrow', details: null },
  { status: 429, type: 'rate_limit_error', details: null },
  { status: 429, type: 'rate_limit_error', details: 'enforced_spend_limit_reached' },
  { status: 529, type: 'overloaded_error', details: null },
].map((error, index) => ({ ...error, model: `model-${index}` }))

const printError = ({ type, details }: (typeof FINAL_ERRORS)[number]): string =>
  `{ "type":"error",\n\t"error": {"message":"Prompt \u00e9\\u00e9 ist zu lang","type":"${type}"${details === null ? '' : `,"details":{"error_code":"${details}"}`}, "new_field":[1.50]},\n"request_id":"req_011CU"}\n`

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startTestGateway({
    settings: {
      SLUICE_RETRY_ATTEMPTS: 1,
      ANTHROPIC_ACCOUNTS: accountList(
        { id: 'usual', models: ['claude-*'] },
        ...FINAL_ERRORS.map(({ model }) => ({ id: model, models: [model] })),
      ),
    },
  })
})

afterAll(() => gateway.stop())

const ask = (options: Partial<Parameters<typeof claudeCall>[0]>, chunkBytes?: number) =>
  send(gateway.url, {
    ...claudeCall({ key: gateway.keys.enterprise, ...options }),
    ...(chunkBytes === undefined ? {} : { chunkBytes }),
  })

const journaled = async (tag: string) => {
  const [entry] = await gateway.simulator.journal.wait({ tag })
  if (entry === undefined) throw new Error(`Nothing reached Claude for ${tag}`)
  return entry
}

describe('a request body', () => {
  it.each(Object.entries(BODIES))('%s reaches Claude as it was sent', async (name, body) => {
    for (const chunkBytes of [undefined, body.length > 100_000 ? 7_000 : 61]) {
      const tag = `body-${sha256(name + String(chunkBytes)).slice(0, 12)}`
      // What Claude thinks of it does not matter here: a canned answer stands in for it.
      gateway.simulator.sim.canned.set('ok', Buffer.from('{"type":"message","usage":{}}'))
      await ask({ body, tag, fault: 'canned=ok;type=application/json' }, chunkBytes)
      const entry = await journaled(tag)
      expect(entry.body_bytes).toBe(Buffer.byteLength(body))
      expect(entry.body_sha256).toBe(sha256(body))
    }
  })

  it('goes to the path and with the query that the caller used', async () => {
    const query = '?beta=true&x=%2F+a%20b&empty=&beta=true'
    await ask({ path: `/v1/messages${query}`, tag: 'query' })
    await ask({
      path: `/v1/messages/count_tokens${query}`,
      tag: 'count',
      fields: { max_tokens: undefined },
    })
    expect(await journaled('query')).toMatchObject({ path: '/v1/messages', query })
    expect(await journaled('count')).toMatchObject({ path: '/v1/messages/count_tokens', query })
  })
})

describe('a plain answer', () => {
  it('arrives as Claude wrote it, whatever its form', async () => {
    const body = `{\n  "type": "message",  "id":"msg_é",\n "content":[{"type":"text","text":"\\u00e9 😀"}], "n": 1.0,\n "usage": {"input_tokens": 3, "output_tokens": 2}\n}\n`
    gateway.simulator.sim.canned.set('plain', Buffer.from(body))
    for (const split of [100_000, 3, 1]) {
      const answer = await ask({ fault: `canned=plain;type=application/json,split=${split}` })
      expect(answer.status).toBe(200)
      expect(answer.body.toString()).toBe(body)
    }
  })
})

describe('an error of Claude that is final', () => {
  it.each(FINAL_ERRORS)('$status $type $details arrives with its body unaltered', async (error) => {
    const body = printError(error)
    gateway.simulator.sim.canned.set('error', Buffer.from(body))
    const answer = await ask({
      fault: `canned=error;status=${error.status};type=application/json`,
      fields: { model: error.model },
    })
    expect(answer.status).toBe(error.status)
    expect(answer.headers['content-type']).toBe('application/json')
    expect(answer.body.toString()).toBe(body)
    // Claude gave none here: a client must not be told to wait for nothing.
    expect(answer.headers['retry-after']).toBeUndefined()
  })
})
